import type { Protocol } from './api.js';

/** A port space: one host and protocol. */
export interface Space {
  host: string;
  protocol: Protocol;
}

/** A number in its port space. */
export interface Spot extends Space {
  port: number;
}

export const DEFAULT_SPACE: Space = { host: 'localhost', protocol: 'tcp' };

export function isIn(space: Space, { host, protocol }: Space): boolean {
  return host === space.host && protocol === space.protocol;
}

/** The order of port spaces: by host, and TCP first. */
export function compareSpaces(a: Space, b: Space): number {
  return a.host.localeCompare(b.host) || a.protocol.localeCompare(b.protocol);
}

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const HOST_NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*$`);
const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^(?:${OCTET}\\.){3}${OCTET}$`);
const LIKE_IPV4 = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;
const THIS_MACHINE = /^(?:\*|::1?|0\.0\.0\.0|127\.\d+\.\d+\.\d+)$/;
const IPV4_COMPATIBLE = /^::[0-9a-f]+(?::[0-9a-f]+)?$/;

/**
 * A host as the registry may have it, by the rule of src/schemas/host.ts. The service refuses to answer about anything
 * else, so that a host which somebody has typed into the address bar is looked at before it is asked for.
 * @returns null for a text that is no host
 */
export function readHost(text: string): string | null {
  const name = text.toLowerCase().replace(/\.$/, '');
  const address = addressIn(name);
  if (THIS_MACHINE.test(address ?? name)) return DEFAULT_SPACE.host;
  if (address !== null) return IPV4_COMPATIBLE.test(address) ? null : address;
  return HOST_NAME.test(name) && !LIKE_IPV4.test(name) ? name : null;
}

/** The address that a text is, in its shortest form; null for one that is none. */
function addressIn(name: string): string | null {
  if (IPV4.test(name)) return name;
  if (!name.includes(':')) return null;
  try {
    return new URL(`http://[${name.replace(/^\[(.*)\]$/, '$1')}]`).hostname.slice(1, -1);
  } catch {
    return null;
  }
}

/** `3102`, `build-1:3102`, `3102/udp`: the spot as it stands in the address bar, and as a key of maps. */
export function nameSpot({ port, host, protocol }: Spot): string {
  return `${host === DEFAULT_SPACE.host ? '' : `${host}:`}${port}${protocol === 'udp' ? '/udp' : ''}`;
}

/** The other way round. @returns null for a text that names no spot */
export function readSpot(text: string): Spot | null {
  const [, host, digits, udp] = /^(?:(.+):)?(\d{1,5})(\/udp)?$/.exec(text) ?? [];
  const port = Number(digits);
  const known = readHost(host ?? DEFAULT_SPACE.host);
  if (known === null || !(port >= 1 && port <= 65_535)) return null;
  return { port, host: known, protocol: udp ? 'udp' : 'tcp' };
}

/** Items by the spot at which they are. */
export function bySpot<T extends Spot>(items: Iterable<T>): Map<string, T> {
  return new Map(Array.from(items, (item) => [nameSpot(item), item]));
}
