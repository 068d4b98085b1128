import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { toAsciiLowerCase } from '../input/lower-case.js';

const LABEL = '[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?';
const NAME = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
/**
 * Matches a name that resolvers would read as an IPv4 address, in one of the older spellings that inet_aton accepts.
 */
const ENDS_IN_NUMBER = /(^|\.)(\d+|0x[0-9a-f]*)$/;

/**
 * Brings a host into the one form in which it is stored: lower case, no trailing dot, IPv6 addresses as in RFC 5952,
 * IPv4 addresses as four decimal numbers, loopback and wildcard addresses as `localhost`. The SQL function
 * `canonical_host()` implements the same rule.
 * @returns null for a text that is no host
 */
export function canonicalHost(host: string): string | null {
  if (host === 'localhost') return host; // the usual case
  const name = toAsciiLowerCase(host)
    .replace(/\.$/, '')
    .replace(/^\[(.*:.*)\]$/, '$1');
  if (name === '*') return 'localhost';
  if (isIP(name) === 0) {
    return name.length <= 253 && NAME.test(name) && !ENDS_IN_NUMBER.test(name) ? name : null;
  }
  if (name.includes('%')) return null; // a zone (`%eth0`) names an interface of one machine, so others could not use it
  // ipaddr.js reads ::1.2.3.4 as ::ffff:1.2.3.4. The URL parser rewrites the dotted part as hexadecimal first.
  const address = ipaddr.process(isIP(name) === 6 ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name);
  const range = address.range();
  if (range === 'loopback' || address.toString() === '0.0.0.0' || address.toString() === '::') return 'localhost';
  // IPv4-compatible addresses such as ::1.2.3.4 are obsolete (RFC 4291, 2.5.5.1) and have two spellings: refused.
  if (address instanceof ipaddr.IPv6 && address.parts.slice(0, 6).every((part) => part === 0)) return null;
  return address.toString();
}

/**
 * Finds out whether an address must never be probed: it is in a range in which no service has a fixed address, and some
 * of these give access to a machine's secrets (cloud metadata at 169.254.169.254). An IPv6 address that contains an
 * IPv4 address is judged by the latter.
 * @returns a phrase that says what is wrong with the address; null for one that may be probed
 */
export function findForbiddenRange(address: string): string | null {
  const destination = toEmbeddedIpv4(ipaddr.process(address.replace(/%.*$/, '')));
  return METADATA[destination.toString()] ?? FORBIDDEN[destination.range()] ?? null;
}

/**
 * Where clouds tell a virtual machine its secrets, apart from the link-local 169.254.169.254 that most use. No service
 * of anybody else can have these addresses.
 */
const METADATA: Record<string, string> = {
  // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
  'fd00:ec2::254': 'the metadata address of AWS',
  // https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata
  '100.100.100.200': 'the metadata address of Alibaba Cloud',
  // https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
  '168.63.129.16': "the address of Azure's platform",
};

const FORBIDDEN: Record<string, string> = {
  linkLocal: 'a link-local address',
  multicast: 'a multicast address',
  unspecified: 'an unspecified address',
  broadcast: 'a broadcast address',
};

/** Takes the IPv4 address out of an IPv4-translated (RFC 6145), NAT64 (RFC 6052) or 6to4 (RFC 3056) address. */
function toEmbeddedIpv4(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address instanceof ipaddr.IPv4) return address;
  const bytes = address.toByteArray();
  const range = address.range();
  if (range === 'rfc6145' || range === 'rfc6052') return new ipaddr.IPv4(bytes.slice(12));
  return range === '6to4' ? new ipaddr.IPv4(bytes.slice(2, 6)) : address;
}

/** A host without what a URL or a resolver may add to it: capitals, the brackets of IPv6, the dot of the root. */
export function toPlainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

/** True for `localhost` and the names below it, which mean the machine that uses them (RFC 6761, 6.3). */
export function isLocalhostName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost');
}

/**
 * True for the addresses and the name that lead to this machine itself. An audit asks once for each port, so the usual
 * hosts are recognized without being parsed.
 */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  const version = isIP(host);
  return version === 4 ? host.startsWith('127.') : version === 6 && ipaddr.process(host).range() === 'loopback';
}
