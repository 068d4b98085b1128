import { insertHealthChecks } from '../registry/health-checks.js';
import type { Session } from '../registry/session.js';
import { type AuditedAllocation, findAudited, findReleased } from '../repositories/audits.js';
import type { NewHealthCheck } from '../repositories/health-checks.js';
import type { Audit, AuditScope } from '../schemas/audit.js';
import { listPorts, type ProbedPort, probeAll, resolveHosts } from './audited-ports.js';
import { findConflicts } from './conflicts.js';
import { readListeners } from './listeners.js';
import type { Prober } from './prober.js';

export interface AuditOptions {
  /** Ends the audit between two probes; what was stored stays. */
  signal?: AbortSignal;
  /** Called once before the first probe, and after each. What needs no probe is done from the start. */
  onProgress?(done: number, total: number): void;
  /** Looks at the ports of `localhost` that nobody holds, whatever the scope says. */
  unallocatedHere?: boolean;
}

/** Results written at a time: large enough to be few, small enough to be stored while the rest is probed. */
const BATCH_SIZE = 250;

/**
 * One pass: reads what is held, probes it with no transaction open, stores the results in batches while it
 * goes on, and tells where registry and reality differ.
 * @param session of the caller; without a `project`, all that the caller sees is in scope
 * @throws AppError project-not-found, forbidden, or not-probeable for a host that was asked for by name
 */
export async function runAudit(
  session: Session,
  prober: Prober,
  scope: AuditScope,
  { signal, onProgress, unallocatedHere = false }: AuditOptions = {},
): Promise<Audit> {
  const started = performance.now();
  const registry = await session.read(findAudited, scope);
  const listeners = await readListeners();
  const seeksStrangers = scope.unallocated === true || unallocatedHere;
  const { destinations, refused } = await resolveHosts(prober, registry, scope, seeksStrangers);
  const strangersOn = seeksStrangers ? (scope.unallocated ? [...destinations.keys()] : ['localhost']) : [];
  const { ports, silent } = listPorts(registry, destinations, strangersOn, listeners);
  const total = ports.length + silent;
  let unwritten: NewHealthCheck[] = [];

  onProgress?.(silent, total);
  const probed = await probeAll(prober, ports, listeners, signal, async (port, done) => {
    onProgress?.(silent + done, total);
    if (port.allocation) unwritten.push(toHealthCheck(port, port.allocation));
    if (unwritten.length < BATCH_SIZE) return;
    const full = unwritten;
    unwritten = [];
    await insertHealthChecks(session, full);
  });
  if (unwritten.length > 0) await insertHealthChecks(session, unwritten);

  const named = [...registry.allocations, ...registry.hostnameOwners].map(({ id }) => id);
  const released = await session.readUnfiltered(findReleased, named);
  const held = probed.filter(({ allocation }) => allocation !== null && !released.has(allocation.id));
  const conflicts = await findConflicts(session, { registry, probed, released, refused, listeners, scope });
  const isWhole = scope.project === undefined && scope.host === undefined && session.access.projects === null;
  if (isWhole) prober.observer.audited(conflicts, seeksStrangers);
  const inUse = held.filter(({ result }) => result.outcome === 'open').length;
  return {
    allocated: registry.allocations.filter(({ id }) => !released.has(id)).length,
    inUse,
    notRunning: held.filter(({ result }) => result.outcome === 'refused').length,
    health: held.length === 0 ? null : Math.round((inUse / held.length) * 10_000) / 100,
    conflicts,
    checkedPorts: silent + probed.length,
    durationMs: Math.round(performance.now() - started),
    checkedAt: new Date().toISOString(),
  };
}

function toHealthCheck({ port, result }: ProbedPort, { id, host }: AuditedAllocation): NewHealthCheck {
  return { allocationId: id, port, host, ...result };
}
