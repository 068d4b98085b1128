import { setMaxListeners } from 'node:events';
import * as refusals from '../../refusals.js';
import { keepAudit } from '../../registry/audits.js';
import { insertHealthChecks } from '../../registry/health-checks.js';
import type { Session } from '../../registry/session.js';
import type { NewHealthCheck } from '../../repositories/health-checks.js';
import { findAudited, findReleased } from '../../repositories/reports/audited-registry.js';
import type { Audit, AuditFigures, AuditScope } from '../../schemas/audit.js';
import { type KernelList, readKernelList } from '../listeners/kernel-list.js';
import type { Prober } from '../probes/prober.js';
import { type AuditedPort, listPorts, type ProbedPort, probeAll, resolveHosts } from './audited-ports.js';
import { findConflicts } from './conflicts.js';
import { type ForeignListeners, findForeignListeners, isForeign, isOpen, toHealthCheck } from './foreign-listeners.js';
import { findListenersElsewhere } from './listeners-elsewhere.js';
import { describeNotJudged, isJudged } from './not-judged.js';

export interface AuditOptions {
  /** Ends the audit, with the probes under way. Results that were stored by then stay stored. */
  signal?: AbortSignal;
  /** Called once before the first probe, and after each. Ports that need no probe count as done from the start. */
  onProgress?(done: number, total: number): void;
  /** Also probes the ports of `localhost` that nobody holds, whether or not the scope asks for unallocated ports. */
  unallocatedOnLocalhost?: boolean;
}

const AUDITS_AT_A_TIME = 4;

/**
 * Runs the audits that callers ask for: one for each key, and at most `AUDITS_AT_A_TIME` at once. The scheduled audit
 * does not count.
 */
export class Auditor {
  #running = 0;
  /** The ids of the keys whose audits are running. */
  readonly #keys = new Set<string>();

  constructor(private readonly prober: Prober) {}

  /**
   * Runs one audit, and keeps it.
   * @param options when `signal` is aborted, the caller has left
   * @throws AppError too-many-requests, overloaded, and what `runAudit` throws
   */
  async run(session: Session, scope: AuditScope, options: AuditOptions = {}): Promise<Audit> {
    const { caller } = session.access;
    const key = caller.kind === 'key' ? caller.id : null;
    if (key !== null && this.#keys.has(key)) throw refusals.auditUnderWay();
    if (this.#running >= AUDITS_AT_A_TIME) throw refusals.tooManyAuditsRun(AUDITS_AT_A_TIME);
    this.#running++;
    if (key !== null) this.#keys.add(key);
    try {
      return await keepAudit(session, scope, await runAudit(session, this.prober, scope, options));
    } catch (error) {
      const { signal } = options;
      throw signal?.aborted && error === signal.reason ? refusals.callerLeft() : error;
    } finally {
      this.#running--;
      if (key !== null) this.#keys.delete(key);
    }
  }
}

/**
 * How many results are written together. Large enough for few writes, small enough to write while the rest is probed.
 */
const BATCH_SIZE = 250;

/**
 * Makes one audit: reads what is held, probes it while no transaction is open, stores the results in batches meanwhile,
 * and reports where registry and reality differ. The audit itself is not kept: call `keepAudit` with what it found.
 * @param session of the caller; without a `project`, everything that the caller may see is in scope
 * @throws AppError project-not-found, forbidden, or not-probeable for a host that the scope names; overloaded when the
 * process stops; the reason of `signal` when it is aborted
 */
export async function runAudit(
  session: Session,
  prober: Prober,
  scope: AuditScope,
  { signal: given, onProgress, unallocatedOnLocalhost = false }: AuditOptions = {},
): Promise<AuditFigures> {
  const signal = given ? AbortSignal.any([prober.stopping, given]) : prober.stopping;
  setMaxListeners(0, signal); // each probe under way is one; Node warns of more than ten
  signal.throwIfAborted();
  const started = performance.now();
  const registry = await session.read(findAudited, scope);
  const listening = await readKernelList();
  const probesUnallocated = scope.unallocated === true || unallocatedOnLocalhost;
  const { destinations, refused } = await resolveHosts(prober, registry, scope, probesUnallocated, signal);
  const fullyProbedHosts = scope.unallocated ? [...destinations.keys()] : unallocatedOnLocalhost ? ['localhost'] : [];
  const { ports, knownClosed, unprobed } = listPorts(registry, destinations, fullyProbedHosts, listening);

  const foreign = await findForeignListeners(prober.listeners, registry.allocations, destinations);

  const total = ports.length + knownClosed;
  onProgress?.(knownClosed, total);
  const onProbed = (done: number) => onProgress?.(knownClosed + done, total);
  const probed = await probeAndStore(session, prober, ports, listening, foreign, signal, onProbed);

  signal.throwIfAborted();
  const judged = probed.filter(isJudged);
  const { listeners } = prober;
  const elsewhere = await findListenersElsewhere(session, judged, destinations, listening, listeners);
  const ids = [...registry.allocations, ...registry.hostnameOwners].map(({ id }) => id);
  const released = await session.readUnfiltered(findReleased, ids);
  const held = judged.filter(({ allocation }) => allocation !== null && !released.has(allocation.id));
  const notJudged = describeNotJudged(probed, unprobed, released, prober);
  const findings = { registry, probed: judged, released, refused, listeners, foreign, elsewhere, scope };
  const conflicts = await findConflicts(session, findings, notJudged);
  const coversEverything = scope.project === undefined && scope.host === undefined && session.access.projects === null;
  if (coversEverything) prober.observer.audited(conflicts, probesUnallocated);
  const inUse = held.filter((port) => isOpen(port, foreign)).length;
  return {
    allocated: registry.allocations.filter(({ id }) => !released.has(id)).length,
    inUse,
    notRunning: held.filter((port) => port.result.outcome === 'refused' && !isForeign(port, foreign, elsewhere)).length,
    health: held.length === 0 ? null : Math.round((inUse / held.length) * 10_000) / 100,
    conflicts,
    checkedPorts: knownClosed + judged.length,
    fullyProbedHosts,
    durationMs: Math.round(performance.now() - started),
  };
}

/** Probes all ports, and stores the results of those that an allocation holds. */
async function probeAndStore(
  session: Session,
  prober: Prober,
  ports: readonly AuditedPort[],
  listening: KernelList | null,
  foreign: ForeignListeners,
  signal: AbortSignal,
  onProbed: (done: number) => void,
): Promise<ProbedPort[]> {
  let unwritten: NewHealthCheck[] = [];
  const probed = await probeAll(prober, ports, listening, signal, async (port, done) => {
    onProbed(done);
    if (port.allocation && isJudged(port)) unwritten.push(toHealthCheck(port, port.allocation, foreign));
    if (unwritten.length < BATCH_SIZE) return;
    const batch = unwritten;
    unwritten = [];
    await insertHealthChecks(session, batch);
  });
  if (unwritten.length > 0) await insertHealthChecks(session, unwritten);
  return probed;
}
