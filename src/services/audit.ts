import { AppError } from '../errors.js';
import {
  type AuditedAllocation,
  type AuditedRegistry,
  type AuditedReservation,
  findAudited,
  findReleased,
} from '../repositories/audits.js';
import { insertHealthChecks, type NewHealthCheck } from '../repositories/health-checks.js';
import type { Store } from '../repositories/store.js';
import type { Audit, AuditScope } from '../schemas/audit.js';
import { findConflicts } from './conflicts.js';
import { type Listeners, readListeners } from './listeners.js';
import type { ProbeResult } from './probe.js';
import { type Destination, isLocal } from './probe-policy.js';
import type { Prober } from './prober.js';

/** A port to probe, and who holds it as far as the registry knew when the audit began. */
export interface AuditedPort {
  destination: Destination;
  port: number;
  /** Whose range the port is in. */
  project: string | null;
  allocation: AuditedAllocation | null;
  reservation: AuditedReservation | null;
}
export interface ProbedPort extends AuditedPort {
  result: ProbeResult;
}

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
 * @param store the caller's; without a `project`, all that the caller sees is in scope
 * @throws AppError project-not-found, forbidden, or not-probeable for a host that was asked for by name
 */
export async function runAudit(
  store: Store,
  prober: Prober,
  scope: AuditScope,
  { signal, onProgress, unallocatedHere = false }: AuditOptions = {},
): Promise<Audit> {
  const started = performance.now();
  const registry = await findAudited(store, scope);
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
    await insertHealthChecks(store, full);
  });
  if (unwritten.length > 0) await insertHealthChecks(store, unwritten);

  const named = [...registry.allocations, ...registry.claims].map(({ id }) => id);
  const released = await findReleased(store.db, named);
  const held = probed.filter(({ allocation }) => allocation !== null && !released.has(allocation.id));
  const conflicts = await findConflicts(store.db, { registry, probed, released, refused, listeners, scope });
  const isWhole = scope.project === undefined && scope.host === undefined && store.access.projects === null;
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

/** Each host once, all at the same time. One that may not be probed is told in the result, and spoils no audit of all the others. */
async function resolveHosts(
  prober: Prober,
  { allocations, reservations }: AuditedRegistry,
  scope: AuditScope,
  seeksStrangers: boolean,
) {
  const hosts = new Set([...allocations, ...reservations].filter(isTcp).map(({ host }) => host));
  if (seeksStrangers) hosts.add(scope.host ?? 'localhost');
  if (scope.host !== undefined) hosts.add(scope.host);
  const destinations = new Map<string, Destination>();
  const refused = new Map<string, AppError>();
  const sorted = [...hosts].sort();
  const resolved = await Promise.allSettled(sorted.map((host) => prober.resolve(host)));
  for (const [i, host] of sorted.entries()) {
    const result = resolved[i] as PromiseSettledResult<Destination>;
    if (result.status === 'fulfilled') destinations.set(host, result.value);
    else if (result.reason instanceof AppError && scope.host === undefined) refused.set(host, result.reason);
    else throw result.reason;
  }
  return { destinations, refused };
}

/**
 * What to probe, each port once; and how many ports are `silent`: nobody holds them, and nothing can answer there.
 * Those are counted and no more, since nothing would let the process attend to others between tens of thousands.
 */
function listPorts(
  { allocations, reservations, ranges }: AuditedRegistry,
  destinations: ReadonlyMap<string, Destination>,
  strangersOn: readonly string[],
  listeners: Listeners | null,
): { ports: AuditedPort[]; silent: number } {
  const ports = new Map<string, AuditedPort | null>();
  let silent = 0;
  const add = (host: string, port: number, found: Partial<AuditedPort>) => {
    const destination = destinations.get(host);
    const key = `${host} ${port}`;
    if (!destination || ports.has(key)) return;
    if (!found.allocation && isSilent(destination, port, listeners)) {
      ports.set(key, null);
      silent++;
      return;
    }
    ports.set(key, { destination, port, project: null, allocation: null, reservation: null, ...found });
  };
  for (const allocation of allocations.filter(isTcp)) {
    add(allocation.host, allocation.port, { project: allocation.project, allocation });
  }
  for (const reservation of reservations.filter(isTcp)) {
    add(reservation.host, reservation.port, { project: reservation.project, reservation });
  }
  for (const host of strangersOn) {
    for (const { start_port, end_port, project } of ranges) {
      for (let port = start_port; port <= end_port; port++) add(host, port, { project });
    }
  }
  return { ports: [...ports.values()].filter((port) => port !== null), silent };
}

/** The kernel's list says that nothing listens there, or there is no address to try. */
function isSilent(destination: Destination, port: number, listeners: Listeners | null): boolean {
  if (destination.addresses.length === 0) return true;
  return listeners !== null && isLocal(destination) && !listeners.inodes.has(port);
}

/**
 * Probes as many at a time as the prober lets through.
 * @param onProbed is waited for before the same place probes on, so that slow storage slows the audit down
 */
async function probeAll(
  prober: Prober,
  ports: readonly AuditedPort[],
  listeners: Listeners | null,
  signal: AbortSignal | undefined,
  onProbed: (port: ProbedPort, done: number) => Promise<void>,
): Promise<ProbedPort[]> {
  const probed: ProbedPort[] = [];
  const queue = ports.values();
  let failed = false;
  const probeNext = async () => {
    for (const port of queue) {
      signal?.throwIfAborted();
      if (failed) return;
      const result = await probePort(prober, port, listeners);
      const done = { ...port, result };
      await onProbed(done, probed.push(done));
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(prober.concurrency, ports.length) }, probeNext));
  } finally {
    failed = true;
  }
  signal?.throwIfAborted();
  return probed;
}

/**
 * On this machine the kernel's list of listeners spares attempts that cannot succeed. A held port is always
 * tried on 127.0.0.1, because a redirection (a container's published port) answers there without a listener;
 * on ::1 only where a listener is.
 */
function probePort(
  prober: Prober,
  { destination, port }: AuditedPort,
  listeners: Listeners | null,
): Promise<ProbeResult> {
  if (listeners === null || !isLocal(destination)) return prober.probe(destination, port);
  if (listeners.ipv6Loopback.has(port)) return prober.probe(destination, port);
  return prober.probe({ addresses: destination.addresses.slice(0, 1), error: destination.error }, port);
}

function toHealthCheck({ port, result }: ProbedPort, { id, host }: AuditedAllocation): NewHealthCheck {
  return { allocationId: id, port, host, ...result };
}

function isTcp({ protocol }: { protocol: string }): boolean {
  return protocol === 'tcp';
}
