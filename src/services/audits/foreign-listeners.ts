import type { Listener } from '../../machine/listener.js';
import type { NewHealthCheck } from '../../repositories/health-checks.js';
import type { AuditedAllocation } from '../../repositories/reports/audited-registry.js';
import type { AuditConflict } from '../../schemas/audit.js';
import { type LocalListeners, nameListener } from '../listeners/local-listeners.js';
import { type Destination, isLocal } from '../probes/probe-policy.js';
import type { ProbedPort } from './audited-ports.js';
import { type ListenersElsewhere, nameElsewhere } from './listeners-elsewhere.js';
import type { JudgedPort } from './not-judged.js';
import { holderOf, subjectOf } from './subjects.js';

/** By the id of an allocation, the process that listens on its port and lives outside of its environment's path. */
export type ForeignListeners = ReadonlyMap<string, Listener>;

/**
 * Finds the allocations of this machine on whose port a stranger listens. They are found before the ports are probed,
 * because the result of a probe is stored at once, and an open port counts for its service only if the service listens.
 */
export async function findForeignListeners(
  listeners: LocalListeners,
  allocations: readonly AuditedAllocation[],
  destinations: ReadonlyMap<string, Destination>,
): Promise<ForeignListeners> {
  const judged = allocations.map(async ({ id, port, host, protocol, path }): Promise<[string, Listener | null]> => {
    const destination = destinations.get(host);
    const isHere = destination !== undefined && destination.addresses.length > 0 && isLocal(destination);
    if (path === null || protocol !== 'tcp' || !isHere) return [id, null];
    return [id, await listeners.findStranger(port, path)];
  });
  return new Map((await Promise.all(judged)).filter((one): one is [string, Listener] => one[1] !== null));
}

/** Whether the service of an allocation listens, and not a stranger. */
export function isOpen({ result, allocation }: ProbedPort, foreign: ForeignListeners): boolean {
  return result.outcome === 'open' && (allocation === null || !foreign.has(allocation.id));
}

/** Whether a stranger listens on a port that is held, on an address that was probed or on another one. */
export function isForeign(port: ProbedPort, foreign: ForeignListeners, elsewhere: ListenersElsewhere): boolean {
  if (port.allocation === null || !foreign.has(port.allocation.id)) return false;
  return port.result.outcome === 'open' || elsewhere.has(port);
}

/**
 * What is stored of a probe. A stranger says of the service what a refused connection says: it does not listen. So the
 * allocation is not `in_use` any more.
 */
export function toHealthCheck(
  { port, result }: JudgedPort,
  { id, host }: AuditedAllocation,
  foreign: ForeignListeners,
): NewHealthCheck {
  const stranger = foreign.get(id);
  if (stranger === undefined || result.outcome !== 'open') return { allocationId: id, port, host, ...result };
  const error = `not the service listens, but ${nameListener(stranger)}`;
  return { allocationId: id, port, host, outcome: 'refused', responseTimeMs: null, error };
}

/** Describes the ports that are held and on which a stranger listens. */
export function describeForeign(
  probed: readonly ProbedPort[],
  foreign: ForeignListeners,
  elsewhere: ListenersElsewhere,
  released: ReadonlySet<string>,
): AuditConflict[] {
  return probed.flatMap((one): AuditConflict[] => {
    const { allocation } = one;
    if (allocation === null || released.has(allocation.id) || !isForeign(one, foreign, elsewhere)) return [];
    const { port, host, project, service, path } = allocation;
    const listener = elsewhere.get(one);
    const actual = listener ? nameElsewhere(listener) : nameListener(foreign.get(allocation.id) ?? null);
    return [
      {
        kind: 'foreign-listener',
        ...subjectOf(allocation),
        expected: `${project}/${service} listens, which lives in ${path}`,
        actual,
        detail: `${holderOf(allocation)} holds port ${port} on ${host} and lives in ${path}, but a process from elsewhere listens there: ${actual}. Whoever started it should stop it, or give it a port of its own. If it is ${service} all the same, start it in ${path}.`,
      },
    ];
  });
}
