// What a plan is made from.
import type { DnsRecord, Remote } from './remote.js';

/** A hostname of the registry, and the address to which the tunnel has to bring its requests. */
export interface Route {
  hostname: string;
  service: string;
}

/** By hostname, every service that may stand in a rule that the registry has written. */
export type Remembered = ReadonlyMap<string, readonly string[]>;

/** What has to be in Cloudflare, and what is there. */
export interface Situation {
  /** By hostname, the service of every route. */
  wanted: ReadonlyMap<string, string>;
  /** The routes that are in a zone, in the order in which their rules have to be tried. */
  routes: readonly Route[];
  remote: Remote;
  remembered: Remembered;
  /** Of this hostname. @returns the registry's own record; null if there is none */
  findMarked(hostname: string): DnsRecord | null;
}
