import type { Config } from '../config.js';
import { type Observer, unobserved } from '../observer.js';
import { type ProbeResult, probeTcp } from './probe.js';
import { type Destination, ProbePolicy } from './probe-policy.js';

/** Probes for this process: one bound for all that is under way at a time, whoever asks. */
export class Prober {
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly #policy: ProbePolicy;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(
    config: Pick<Config, 'probeTimeoutMs' | 'probeConcurrency' | 'probeTargets' | 'probeAllowedHosts'>,
    readonly observer: Observer = unobserved,
  ) {
    this.concurrency = config.probeConcurrency;
    this.timeoutMs = config.probeTimeoutMs;
    this.#policy = new ProbePolicy(config.probeTargets, config.probeAllowedHosts, config.probeTimeoutMs);
  }

  /** @throws AppError not-probeable */
  resolve(host: string): Promise<Destination> {
    return this.#policy.resolve(host);
  }

  async probe({ addresses, error }: Pick<Destination, 'addresses' | 'error'>, port: number): Promise<ProbeResult> {
    if (addresses.length === 0) return { outcome: 'unreachable', responseTimeMs: null, error };
    if (this.#underWay < this.concurrency) this.#underWay++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve)); // takes over the place of who ends
    const begun = performance.now();
    try {
      const result = await probeTcp(addresses, port, this.timeoutMs);
      this.observer.probed(result.outcome, (performance.now() - begun) / 1000);
      return result;
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#underWay--;
    }
  }
}
