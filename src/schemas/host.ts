import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

const LABEL = '[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?';
const NAME = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
/** A name that resolvers would read as an IPv4 address in one of inet_aton's older spellings. */
const ENDS_IN_NUMBER = /(^|\.)(\d+|0x[0-9a-f]*)$/;

/**
 * The one form in which a host is stored: lower case, no trailing dot, addresses as RFC 5952 (IPv6) or
 * four decimal octets (IPv4) write them, loopback and wildcard addresses as `localhost`. The database's
 * `canonical_host()` is the same rule.
 * @returns null for what is no host
 */
export function canonicalHost(host: string): string | null {
  if (host === 'localhost') return host; // the usual case
  const name = host
    .replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) // and no others: the Kelvin sign is no k
    .replace(/\.$/, '')
    .replace(/^\[(.*:.*)\]$/, '$1');
  if (name === '*') return 'localhost';
  if (isIP(name) === 0) {
    return name.length <= 253 && NAME.test(name) && !ENDS_IN_NUMBER.test(name) ? name : null;
  }
  if (name.includes('%')) return null; // a zone belongs to one machine's interfaces
  // ipaddr.js takes ::1.2.3.4 for ::ffff:1.2.3.4; the URL parser leaves no dots.
  const address = ipaddr.process(isIP(name) === 6 ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name);
  const range = address.range();
  if (range === 'loopback' || address.toString() === '0.0.0.0' || address.toString() === '::') return 'localhost';
  // IPv4-compatible addresses are obsolete (RFC 4291, 2.5.5.1) and have two spellings.
  if (address instanceof ipaddr.IPv6 && address.parts.slice(0, 6).every((part) => part === 0)) return null;
  return address.toString();
}

/**
 * The ranges in which nobody's service has a fixed place, and behind which a machine's own secrets may be
 * (cloud metadata at 169.254.169.254). Addresses that carry an IPv4 address inside count as that.
 * @returns a phrase that says what is wrong with the address; null for one that may be probed
 */
export function findForbiddenRange(address: string): string | null {
  const carried = carriedIpv4(ipaddr.process(address.replace(/%.*$/, '')));
  return FORBIDDEN[carried.range()] ?? null;
}

const FORBIDDEN: Record<string, string> = {
  linkLocal: 'a link-local address',
  multicast: 'a multicast address',
  unspecified: 'an unspecified address',
  broadcast: 'a broadcast address',
};

/** What IPv4-translated (RFC 6145), NAT64 (RFC 6052) and 6to4 (RFC 3056) addresses lead to. */
function carriedIpv4(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address instanceof ipaddr.IPv4) return address;
  const bytes = address.toByteArray();
  const range = address.range();
  if (range === 'rfc6145' || range === 'rfc6052') return new ipaddr.IPv4(bytes.slice(12));
  return range === '6to4' ? new ipaddr.IPv4(bytes.slice(2, 6)) : address;
}

/** True for the addresses and the name that only this machine reaches. An audit asks for each port: the usual ones are not parsed. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  const version = isIP(host);
  return version === 4 ? host.startsWith('127.') : version === 6 && ipaddr.process(host).range() === 'loopback';
}
