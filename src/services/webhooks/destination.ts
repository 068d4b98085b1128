import type { Config } from '../../config.js';
import { destinationForbidden, destinationInvalid, destinationNotAllowed } from '../../repositories/events/refusals.js';
import { MAX_URL_LENGTH } from '../../schemas/events/webhook.js';
import { canonicalHost } from '../../schemas/host.js';
import { NameResolver, type NameSources, SYSTEM_NAMES } from '../probes/names.js';
import { ProbePolicy } from '../probes/probe-policy.js';

/** How long the look-up of a name may take. */
const NAME_TIMEOUT_MS = 5000;

/** Where one attempt goes: the addresses that were checked, and what is asked for there. */
export interface Destination {
  url: URL;
  /** Tried one after another until one accepts the connection. */
  addresses: readonly string[];
  /** Why there is no address. */
  error: string | null;
}

/**
 * Decides which URLs may be called: those whose hosts may be probed (docs/probes.md). A name is resolved once for each
 * attempt and checked, and the connection goes to that very address.
 */
export class Destinations {
  readonly #policy: ProbePolicy;

  constructor(config: Pick<Config, 'probeTargets' | 'probeAllowedHosts'>, sources: NameSources = SYSTEM_NAMES) {
    const names = new NameResolver(NAME_TIMEOUT_MS, sources);
    const refuse = { notAllowed: destinationNotAllowed, forbidden: destinationForbidden };
    this.#policy = new ProbePolicy(config.probeTargets, config.probeAllowedHosts, names, refuse);
  }

  /**
   * Refuses a URL that nothing may be sent to. A name that cannot be resolved, or not in time, because many others are
   * looked up as well, is accepted: that may change, and each attempt checks it.
   * @returns the URL as it is stored
   * @throws AppError validation-failed, destination-not-allowed
   */
  async require(given: string): Promise<string> {
    const { url, host } = parseDestination(given);
    const late = AbortSignal.timeout(NAME_TIMEOUT_MS);
    await this.#policy.resolve(host, late).catch((error) => {
      if (error !== late.reason) throw error;
    });
    return url.href;
  }

  /** @throws AppError destination-not-allowed; the reason of `signal` when it is aborted */
  async resolve(stored: string, signal: AbortSignal): Promise<Destination> {
    const { url, host } = parseDestination(stored);
    const { addresses, error } = await this.#policy.resolve(host, signal);
    return { url, addresses, error };
  }
}

/** @throws AppError validation-failed */
function parseDestination(given: string): { url: URL; host: string } {
  if (!URL.canParse(given)) throw destinationInvalid('is not one.');
  const url = new URL(given);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw destinationInvalid('must begin with https or http.');
  if (url.username !== '' || url.password !== '') {
    throw destinationInvalid('has a user name or a password, which logs would show. Deliveries are signed instead.');
  }
  // A letter such as é takes six characters then.
  if (url.href.length > MAX_URL_LENGTH) {
    throw destinationInvalid(`has more than ${MAX_URL_LENGTH} characters when it is written in ASCII.`);
  }
  if (url.hash !== '') throw destinationInvalid('has a fragment, which is never sent.');
  const host = canonicalHost(url.hostname);
  if (host === null) throw destinationInvalid('has no valid host.');
  return { url, host };
}
