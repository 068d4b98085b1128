import pLimit from 'p-limit';
import type { Config } from '../config.js';
import { type Observer, unobserved } from '../observer.js';
import { type ProbeResult, probeTcp } from './probe.js';
import { type Destination, ProbePolicy } from './probe-policy.js';

/**
 * Probes ports. A process has one prober, so that its limit holds for the probes of all audits and health checks
 * together.
 */
export class Prober {
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly #policy: ProbePolicy;
  readonly #limit: ReturnType<typeof pLimit>;

  constructor(
    config: Pick<Config, 'probeTimeoutMs' | 'probeConcurrency' | 'probeTargets' | 'probeAllowedHosts'>,
    readonly observer: Observer = unobserved,
  ) {
    this.concurrency = config.probeConcurrency;
    this.timeoutMs = config.probeTimeoutMs;
    this.#policy = new ProbePolicy(config.probeTargets, config.probeAllowedHosts, config.probeTimeoutMs);
    this.#limit = pLimit(config.probeConcurrency);
  }

  /** @throws AppError not-probeable */
  resolve(host: string): Promise<Destination> {
    return this.#policy.resolve(host);
  }

  /** Waits until fewer than `concurrency` probes are under way, then probes. The timeout begins only then. */
  async probe({ addresses, error }: Pick<Destination, 'addresses' | 'error'>, port: number): Promise<ProbeResult> {
    if (addresses.length === 0) return { outcome: 'unreachable', responseTimeMs: null, error };
    return this.#limit(async () => {
      const begun = performance.now();
      const result = await probeTcp(addresses, port, this.timeoutMs);
      this.observer.probed(result.outcome, (performance.now() - begun) / 1000);
      return result;
    });
  }
}
