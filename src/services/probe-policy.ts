import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { addressForbidden, hostNotAllowed } from '../refusals.js';
import { findForbiddenRange, isLoopback } from '../schemas/host.js';

/** Where a host's ports are reached from here. */
export interface Destination {
  host: string;
  /** Empty when the name has none: every probe is `unreachable` then. */
  addresses: readonly string[];
  /** Why there is no address. */
  error: string | null;
}

/** Whether it is this machine, by its loopback addresses. */
export const isLocal = ({ addresses }: Destination): boolean => addresses.every(isLoopback);

const LOOPBACK = ['127.0.0.1', '::1'];

/** Which hosts may be probed: this machine, those with a target, and those that the operator allows. */
export class ProbePolicy {
  readonly #targets: ReadonlyMap<string, string>;
  readonly #allowed: ReadonlySet<string>;

  constructor(
    targets: ReadonlyMap<string, string>,
    allowedHosts: readonly string[],
    private readonly lookupTimeoutMs: number,
  ) {
    this.#targets = targets;
    this.#allowed = new Set(['localhost', ...targets.keys(), ...allowedHosts]);
  }

  /**
   * Resolves a name once: what was checked is what is connected to, whatever the name means a moment later.
   * @throws AppError not-probeable
   */
  async resolve(host: string): Promise<Destination> {
    const never = isIP(host) === 0 || this.#targets.has(host) ? null : findForbiddenRange(host);
    if (never !== null) throw addressForbidden(host, host, never);
    if (!this.#allowed.has(host)) throw hostNotAllowed(host);
    const target = this.#targets.get(host) ?? host;
    if (target === 'localhost') return { host, addresses: LOOPBACK, error: null };
    const found = isIP(target) === 0 ? await this.#lookup(target) : { addresses: [target], error: null };
    for (const address of found.addresses) {
      const range = findForbiddenRange(address);
      if (range !== null) throw addressForbidden(host, address, range);
    }
    return { host, addresses: firstOfEachFamily(found.addresses), error: found.error };
  }

  async #lookup(name: string): Promise<{ addresses: string[]; error: string | null }> {
    const late = setTimeout(
      this.lookupTimeoutMs,
      { addresses: [] as string[], error: `${name} was not resolved in time` },
      {
        ref: false,
      },
    );
    const found = lookup(name, { all: true }).then(
      (all) => ({ addresses: all.map(({ address }) => address), error: null }),
      ({ code = 'unknown error' }: NodeJS.ErrnoException) => ({ addresses: [], error: `${name}: ${code}` }),
    );
    return Promise.race([found, late]);
  }
}

/** A service may listen on one family alone; open if either accepts. */
function firstOfEachFamily(addresses: string[]): string[] {
  return [4, 6].flatMap((family) => addresses.find((address) => isIP(address) === family) ?? []);
}
