import pLimit from 'p-limit';
import type { Config } from '../../config.js';
import { type Observer, unobserved } from '../../observer.js';
import { shuttingDown } from '../../refusals.js';
import { NameResolver, type NameSources, SYSTEM_NAMES } from './names.js';
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
  readonly #stopping = new AbortController();

  constructor(
    config: Pick<Config, 'probeTimeoutMs' | 'probeConcurrency' | 'probeTargets' | 'probeAllowedHosts'>,
    readonly observer: Observer = unobserved,
    sources: NameSources = SYSTEM_NAMES,
  ) {
    this.concurrency = config.probeConcurrency;
    this.timeoutMs = config.probeTimeoutMs;
    const names = new NameResolver(config.probeTimeoutMs, sources);
    this.#policy = new ProbePolicy(config.probeTargets, config.probeAllowedHosts, names);
    this.#limit = pLimit(config.probeConcurrency);
  }

  /** Aborted by `stop`, with the refusal that callers get. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /**
   * Ends the probes and audits under way, and refuses new ones, because the process is stopping. A probe may take a
   * minute (PROBE_TIMEOUT_MS), which is longer than a process may take to stop. Callers can ask another replica.
   */
  stop(): void {
    this.#stopping.abort(shuttingDown());
  }

  /**
   * @param signal ends the look-up of the host's name
   * @throws AppError not-probeable; the reason of `signal` when it is aborted
   */
  resolve(host: string, signal = this.stopping): Promise<Destination> {
    return untilAborted(signal, () => this.#policy.resolve(host, signal));
  }

  /**
   * Waits until fewer than `concurrency` probes are under way, then probes. The timeout begins only then.
   * @param signal ends the waiting and the probe
   * @throws the reason of `signal` when it is aborted
   */
  probe(
    { addresses, error }: Pick<Destination, 'addresses' | 'error'>,
    port: number,
    signal = this.stopping,
  ): Promise<ProbeResult> {
    return untilAborted(signal, async () => {
      if (addresses.length === 0) return { outcome: 'unreachable', responseTimeMs: null, error };
      return this.#limit(async () => {
        const begun = performance.now();
        const result = await probeTcp(addresses, port, this.timeoutMs, signal);
        this.observer.probed(result.outcome, (performance.now() - begun) / 1000);
        return result;
      });
    });
  }
}

/**
 * Does the work, which itself heeds the signal once its turn has come. This does not wait for that turn: it is rejected
 * as soon as the signal is aborted.
 */
function untilAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}
