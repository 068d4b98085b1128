import { isIP } from 'node:net';
import { addressForbidden, hostNotAllowed } from '../../refusals.js';
import { findForbiddenRange, isLocalhostName, isLoopback } from '../../schemas/host.js';
import type { NameResolver, ResolvedName } from './names.js';

/** The addresses at which the ports of a host are probed. */
export interface Destination {
  host: string;
  /** Empty if the name cannot be resolved. Every probe is then `unreachable`, or not judged with a `shortage`. */
  addresses: readonly string[];
  /** Why there is no address. */
  error: string | null;
  /** If the name could not be looked up because this process has run out of something: the error, see `isShortage`. */
  shortage?: string;
}

/** Whether the addresses are loopback addresses, so that the host is this machine. */
export const isLocal = ({ addresses }: Destination): boolean => addresses.every(isLoopback);

const LOOPBACK = ['127.0.0.1', '::1'];

/**
 * Decides which hosts may be probed: this machine, those in PROBE_TARGETS, and those in PROBE_ALLOWED_HOSTS. Webhooks
 * are held to the same rules, with refusals of their own.
 */
export class ProbePolicy {
  readonly #targets: ReadonlyMap<string, string>;
  readonly #allowed: ReadonlySet<string>;

  constructor(
    targets: ReadonlyMap<string, string>,
    allowedHosts: readonly string[],
    private readonly names: NameResolver,
    private readonly refuse = { notAllowed: hostNotAllowed, forbidden: addressForbidden },
  ) {
    this.#targets = targets;
    this.#allowed = new Set(['localhost', ...targets.keys(), ...allowedHosts]);
  }

  /**
   * Resolves a name once for all its probes. They connect to the addresses that were checked here: if each connection
   * resolved the name again, it could lead to a forbidden address by then.
   * @throws AppError not-probeable, or what webhooks have instead; the reason of `signal` when it is aborted
   */
  async resolve(host: string, signal: AbortSignal): Promise<Destination> {
    const forbidden = isIP(host) === 0 || this.#targets.has(host) ? null : findForbiddenRange(host);
    if (forbidden !== null) throw this.refuse.forbidden(host, host, forbidden);
    if (!this.#allowed.has(host)) throw this.refuse.notAllowed(host);
    const target = this.#targets.get(host) ?? host;
    if (isLocalhostName(target)) return { host, addresses: LOOPBACK, error: null };
    const found: ResolvedName =
      isIP(target) === 0 ? await this.names.resolve(target, signal) : { addresses: [target], error: null };
    for (const address of found.addresses) {
      const range = findForbiddenRange(address);
      if (range !== null) throw this.refuse.forbidden(host, address, range);
    }
    return { ...found, host, addresses: firstOfEachFamily(found.addresses) };
  }
}

/** One IPv4 and one IPv6 address, because a service may listen on only one of the two. A probe tries both. */
function firstOfEachFamily(addresses: string[]): string[] {
  return [4, 6].flatMap((family) => addresses.find((address) => isIP(address) === family) ?? []);
}
