import { setMaxListeners } from 'node:events';
import type { OpenFiles } from '../../config/open-files.js';
import type { Config } from '../../config.js';
import { type Observer, unobserved } from '../../observer.js';
import { shuttingDown } from '../../refusals.js';
import { type ListenersConfig, LocalListeners } from '../listeners/local-listeners.js';
import { NameResolver, type NameSources, SYSTEM_NAMES } from './names.js';
import { notJudged, type ProbeResult, probeTcp } from './probe.js';
import { type Destination, ProbePolicy } from './probe-policy.js';
import { describeShortage } from './shortage.js';
import { Turns } from './turns.js';

type ProberConfig = Pick<Config, 'probeTimeoutMs' | 'probeConcurrency' | 'probeAllowedHosts'> & ListenersConfig;

/**
 * Probes ports. A process has one prober, so that its limit holds for the probes of all audits and health checks
 * together.
 */
export class Prober {
  /** How many probes are made at a time at most. */
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly #policy: ProbePolicy;
  readonly #turns: Turns;
  readonly #stopping = new AbortController();

  /** @param openFiles what the process may have open; without it, as many probes are made as the configuration says */
  constructor(
    config: ProberConfig,
    readonly observer: Observer = unobserved,
    sources: NameSources = SYSTEM_NAMES,
    private readonly openFiles: Pick<OpenFiles, 'limit' | 'probeConcurrency' | 'names'> | null = null,
    /** Who listens on this machine, for audits, which ask both. */
    readonly listeners = new LocalListeners(config),
  ) {
    this.concurrency = openFiles?.probeConcurrency ?? config.probeConcurrency;
    this.timeoutMs = config.probeTimeoutMs;
    const names = new NameResolver(config.probeTimeoutMs, sources, openFiles?.names);
    this.#policy = new ProbePolicy(config.probeTargets, config.probeAllowedHosts, names);
    this.#turns = new Turns(this.concurrency, config.probeTimeoutMs);
    setMaxListeners(0, this.stopping); // each probe under way is one; Node warns of more than ten
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
   * Waits until fewer than `concurrency` probes are under way, then probes. The timeout begins only then. When the
   * process runs out of descriptors, the port is tried again until the timeout has passed (see `Turns`).
   * @param signal ends the waiting and the probe
   * @throws the reason of `signal` when it is aborted
   */
  probe(
    { addresses, error, shortage }: Pick<Destination, 'addresses' | 'error' | 'shortage'>,
    port: number,
    signal = this.stopping,
  ): Promise<ProbeResult> {
    return untilAborted(signal, async () => {
      if (shortage !== undefined) return notJudged(shortage);
      if (addresses.length === 0) return { outcome: 'unreachable', responseTimeMs: null, error };
      let begun = 0;
      const result = await this.#turns.take(() => {
        begun = performance.now();
        return probeTcp(addresses, port, this.timeoutMs, signal);
      }, signal);
      this.observer.probed(result.outcome, (performance.now() - begun) / 1000);
      return result;
    });
  }

  /** Why a port was not judged, and what to do. @param code the error of the result */
  describeShortage(code: string): string {
    return describeShortage(code, this.openFiles?.limit ?? null);
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
