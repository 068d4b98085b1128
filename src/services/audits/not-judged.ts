import type { AuditConflict } from '../../schemas/audit.js';
import type { JudgedResult } from '../probes/probe.js';
import type { Destination } from '../probes/probe-policy.js';
import type { Prober } from '../probes/prober.js';
import type { ProbedPort } from './audited-ports.js';
import { holderOf, subjectOf, subjectOfHost } from './subjects.js';

export interface JudgedPort extends ProbedPort {
  result: JudgedResult;
}

export const isJudged = (port: ProbedPort): port is JudgedPort => port.result.outcome !== 'not-judged';

/**
 * Describes the ports that could not be judged, because this process has run out of something: a conflict for each that
 * an allocation holds, and one for all others of a host together.
 * @param unprobed by host, how many ports that nobody holds were not probed, because its name could not be looked up
 * @param released ids of allocations that were released while the audit ran
 */
export function describeNotJudged(
  probed: readonly ProbedPort[],
  unprobed: ReadonlyMap<Destination, number>,
  released: ReadonlySet<string>,
  prober: Pick<Prober, 'describeShortage'>,
): AuditConflict[] {
  const conflicts: AuditConflict[] = [];
  const others = new Map<string, { ports: number; error: string }>();
  const count = (host: string, ports: number, error: string) =>
    others.set(host, { error, ports: (others.get(host)?.ports ?? 0) + ports });
  for (const { destination, allocation, result } of probed) {
    if (result.outcome !== 'not-judged') continue;
    if (allocation === null) {
      count(destination.host, 1, result.error);
    } else if (!released.has(allocation.id)) {
      const { port, host, project, service } = allocation;
      conflicts.push({
        kind: 'not-judged',
        ...subjectOf(allocation),
        expected: `${project}/${service} listens`,
        actual: `not judged (${result.error})`,
        detail: `Whether ${holderOf(allocation)} listens on port ${port} of ${host} was not found out. ${prober.describeShortage(result.error)}`,
      });
    }
  }
  for (const [{ host, shortage = '' }, ports] of unprobed) count(host, ports, shortage);
  for (const [host, { ports, error }] of others) {
    conflicts.push({
      kind: 'not-judged',
      ...subjectOfHost(host),
      expected: 'nothing listens on ports that nobody holds',
      actual: `${ports} ports not judged (${error})`,
      detail: `Whether anything listens on ${ports} ports of ${host} that nobody holds was not found out. ${prober.describeShortage(error)}`,
    });
  }
  return conflicts;
}
