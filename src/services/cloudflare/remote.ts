// The tunnel and its zones as Cloudflare has them, and which DNS records of them are the registry's.
import { toAsciiLowerCase } from '../../input/lower-case.js';

/** The comment of the registry's DNS records. */
export const MARK = 'port-allocator: from the registry. Change the comment to keep the record as it is.';

export interface Rule {
  hostname?: string | undefined;
  service: string;
  path?: string | undefined;
  [other: string]: unknown;
}

/** Of the tunnel, as Cloudflare has it; fields that are not listed are kept. */
export interface TunnelConfiguration {
  ingress?: Rule[] | undefined;
  [other: string]: unknown;
}

export interface Zone {
  id: string;
  name: string;
}

export interface DnsRecord {
  id: string;
  zoneId: string;
  type: string;
  name: string;
  content?: string | undefined;
  proxied?: boolean | undefined;
  comment?: string | null | undefined;
}

export interface Remote {
  tunnelId: string;
  /** Cloudflare counts it up with every change of the configuration. */
  version: number;
  config: TunnelConfiguration | null;
  zones: readonly Zone[];
  records: readonly DnsRecord[];
}

export const targetOf = (tunnelId: string): string => `${tunnelId}.cfargotunnel.com`;

/** Whether a record is exactly as the registry makes them. */
export function isMarked({ type, content, proxied, comment }: DnsRecord, tunnelId: string): boolean {
  return type === 'CNAME' && content === targetOf(tunnelId) && proxied === true && comment === MARK;
}

export const recordName = ({ name }: DnsRecord): string => toAsciiLowerCase(name);

/** The zone with the longest name, since a zone may be below another one. */
export function findZone(zones: readonly Zone[], hostname: string): Zone | null {
  const matching = zones.filter(({ name }) => hostname === name || hostname.endsWith(`.${name}`));
  return matching.sort((a, b) => b.name.length - a.name.length)[0] ?? null;
}
