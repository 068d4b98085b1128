import { AppError } from '../../errors.js';
import type {
  AuditedAllocation,
  AuditedRegistry,
  AuditedReservation,
} from '../../repositories/reports/audited-registry.js';
import type { AuditScope } from '../../schemas/audit.js';
import type { KernelList } from '../listeners/kernel-list.js';
import type { ProbeResult } from '../probes/probe.js';
import { type Destination, isLocal } from '../probes/probe-policy.js';
import type { Prober } from '../probes/prober.js';

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

/**
 * Resolves every host that is in scope, all at the same time.
 * @param probesUnallocated whether ports that nobody holds are probed too, which needs a host even if nothing is held
 * @returns where each host is probed, and in `refused` the hosts that may not be probed, each with the reason
 * @throws AppError not-probeable for a host that the scope names; any other is reported by the audit as a finding. The
 * reason of `signal` when it is aborted
 */
export async function resolveHosts(
  prober: Prober,
  { allocations, reservations }: AuditedRegistry,
  scope: AuditScope,
  probesUnallocated: boolean,
  signal: AbortSignal,
) {
  const hosts = new Set([...allocations, ...reservations].filter(isTcp).map(({ host }) => host));
  if (probesUnallocated) hosts.add(scope.host ?? 'localhost');
  if (scope.host !== undefined) hosts.add(scope.host);
  const destinations = new Map<string, Destination>();
  const refused = new Map<string, AppError>();
  const sorted = [...hosts].sort();
  const resolved = await Promise.allSettled(sorted.map((host) => prober.resolve(host, signal)));
  signal.throwIfAborted();
  for (const [i, host] of sorted.entries()) {
    const result = resolved[i] as PromiseSettledResult<Destination>;
    if (result.status === 'fulfilled') destinations.set(host, result.value);
    else if (result.reason instanceof AppError && scope.host === undefined) refused.set(host, result.reason);
    else throw result.reason;
  }
  return { destinations, refused };
}

/**
 * Lists the ports to probe, each once.
 * @param fullyProbedHosts hosts on which every port of the ranges is probed, and not only those that are held or
 * reserved
 * @returns in `knownClosed` how many ports no allocation holds and are known to be closed without a probe. There may be
 * tens of thousands. They are only counted, because going through them one by one in the audit would involve no
 * waiting, and so keep the process from serving anybody else. In `unprobed` how many there are, by host, of which
 * nothing can be known, because the name of the host could not be looked up.
 */
export function listPorts(
  { allocations, reservations, ranges }: AuditedRegistry,
  destinations: ReadonlyMap<string, Destination>,
  fullyProbedHosts: readonly string[],
  listening: KernelList | null,
): { ports: AuditedPort[]; knownClosed: number; unprobed: Map<Destination, number> } {
  const ports = new Map<string, AuditedPort | null>();
  const unprobed = new Map<Destination, number>();
  let knownClosed = 0;
  const add = (host: string, port: number, fields: Partial<AuditedPort>) => {
    const destination = destinations.get(host);
    const key = `${host} ${port}`;
    if (!destination || ports.has(key)) return;
    if (!fields.allocation && destination.shortage !== undefined) {
      ports.set(key, null);
      unprobed.set(destination, (unprobed.get(destination) ?? 0) + 1);
      return;
    }
    if (!fields.allocation && isKnownClosed(destination, port, listening)) {
      ports.set(key, null);
      knownClosed++;
      return;
    }
    ports.set(key, { destination, port, project: null, allocation: null, reservation: null, ...fields });
  };
  for (const allocation of allocations.filter(isTcp)) {
    add(allocation.host, allocation.port, { project: allocation.project, allocation });
  }
  for (const reservation of reservations.filter(isTcp)) {
    add(reservation.host, reservation.port, { project: reservation.project, reservation });
  }
  for (const host of fullyProbedHosts) {
    for (const { start_port, end_port, project } of ranges) {
      for (let port = start_port; port <= end_port; port++) add(host, port, { project });
    }
  }
  return { ports: [...ports.values()].filter((port) => port !== null), knownClosed, unprobed };
}

/** Whether a probe could not succeed: there is no address to try, or the kernel's list has no listener on the port. */
function isKnownClosed(destination: Destination, port: number, listening: KernelList | null): boolean {
  if (destination.addresses.length === 0) return true;
  return listening !== null && isLocal(destination) && !listening.all.has(port);
}

/**
 * Probes all ports, as many at a time as the prober allows.
 * @param onProbed called with each result. Before the next port is probed in its place, the returned promise is waited
 * for, so that the audit probes no faster than its results are stored.
 * @throws the reason of `signal` when it is aborted, without waiting for the probes under way
 */
export async function probeAll(
  prober: Prober,
  ports: readonly AuditedPort[],
  listening: KernelList | null,
  signal: AbortSignal,
  onProbed: (port: ProbedPort, done: number) => Promise<void>,
): Promise<ProbedPort[]> {
  const probed: ProbedPort[] = [];
  const queue = ports.values();
  let failed = false;
  const probeNext = async () => {
    for (const port of queue) {
      signal.throwIfAborted();
      if (failed) return;
      const result = await probePort(prober, port, listening, signal);
      const done = { ...port, result };
      await onProbed(done, probed.push(done));
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(prober.concurrency, ports.length) }, probeNext));
  } finally {
    failed = true;
  }
  signal.throwIfAborted();
  return probed;
}

/**
 * On this machine, ::1 is tried only if the kernel's list has a listener there. 127.0.0.1 is always tried, because
 * a redirected port (one that a container publishes) answers there without any listener in the list.
 */
function probePort(
  prober: Prober,
  { destination, port }: AuditedPort,
  listening: KernelList | null,
  signal: AbortSignal,
): Promise<ProbeResult> {
  if (listening === null || !isLocal(destination)) return prober.probe(destination, port, signal);
  if (listening.ipv6.has(port)) return prober.probe(destination, port, signal);
  return prober.probe({ ...destination, addresses: destination.addresses.slice(0, 1) }, port, signal);
}

function isTcp({ protocol }: { protocol: string }): boolean {
  return protocol === 'tcp';
}
