import type { Caller } from './caller.js';

/** Who made a change, as it is stored with it. */
export interface Actor {
  /** `anonymous`: no keys were in force. `service`: the service by itself. `sql`: somebody at a `psql` prompt. */
  kind: 'key' | 'anonymous' | 'service' | 'sql';
  /** Of the API key. */
  keyId: string | null;
  /** Of the API key, or the SQL role. */
  name: string | null;
  /** The program that it was made with, as it calls itself: `User-Agent`, or the client's name over MCP. */
  client: string | null;
}

/** For what the service does by itself, such as marking reservations that have expired. */
export const SERVICE: Actor = Object.freeze({ kind: 'service', keyId: null, name: null, client: null });

/** @param client null if it does not say */
export function actorOf(caller: Caller, client: string | null): Actor {
  return caller.kind === 'key'
    ? { kind: 'key', keyId: caller.id, name: caller.name, client }
    : { kind: 'anonymous', keyId: null, name: null, client };
}
