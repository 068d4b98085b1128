import { shorten } from '../input/shorten.js';
import { makeVisible } from '../input/visible.js';
import type { Caller } from './caller.js';
import type { Redact } from './redact.js';

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

export const isSameActor = (one: Actor, other: Actor): boolean =>
  one === other ||
  (one.kind === other.kind && one.keyId === other.keyId && one.name === other.name && one.client === other.client);

/** In a sentence, behind "by". */
export function tellActor({ kind, name, client }: Told): string {
  if (kind === 'service') return 'the service';
  if (kind === 'sql') return `${name} in the database`;
  return name ?? client ?? 'a client without a name';
}

type Told = Pick<Actor, 'kind' | 'name' | 'client'>;

/** Who held a port last, in a sentence. */
export function tellLastHolder({
  service,
  project,
  environment,
  releasedAt,
  releasedBy,
}: {
  service: string;
  project: string;
  environment: string;
  /** Null if the port was given out again a moment ago. */
  releasedAt: string | null;
  releasedBy: Told | null;
}): string {
  const holder = `${service} of ${project} (environment ${environment})`;
  if (releasedAt === null) return `By now it is held by ${holder}.`;
  const by = releasedBy === null ? '' : `, released by ${makeVisible(tellActor(releasedBy))}`;
  return `Last held by ${holder} until ${releasedAt}${by}.`;
}

/** Of what a program calls itself. */
const MAX_CLIENT_LENGTH = 120;

/** What a program calls itself, as it may be stored and shown; null if it does not say. */
export function describeClient(text: string | undefined, redact: Redact): string | null {
  return text ? shorten(makeVisible(redact(text)), MAX_CLIENT_LENGTH) : null;
}
