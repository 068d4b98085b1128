import * as refusals from '../refusals.js';
import { findProbeable, insertHealthCheck } from '../registry/health-checks.js';
import type { Session } from '../registry/session.js';
import { findAnswer, type IdempotencyKey } from '../repositories/idempotency-keys.js';
import type { HealthCheck } from '../schemas/health-check.js';
import type { Prober } from './probes/prober.js';

/**
 * Probes one allocation, stores the result and updates the allocation's status. The probe is over before the
 * transaction begins. An allocation that is released in between stays released, and the result is stored in its
 * history.
 * @throws AppError allocation-not-found, not-probeable, idempotency-key-reused; overloaded when the process stops, and
 * when it has run out of something and so cannot probe
 */
export async function checkHealth(
  session: Session,
  prober: Prober,
  allocationId: string,
  idempotency: IdempotencyKey | null,
): Promise<{ healthCheck: HealthCheck; replayed: boolean }> {
  const { project, host, port } = await findProbeable(session, allocationId);
  const answer = idempotency && (await session.readUnfiltered(findAnswer, project, idempotency));
  if (answer) return { healthCheck: answer as HealthCheck, replayed: true };
  const result = await prober.probe(await prober.resolve(host), port);
  if (result.outcome === 'not-judged') throw refusals.portNotJudged(prober.describeShortage(result.error));
  return insertHealthCheck(session, project, { allocationId, port, host, ...result }, idempotency);
}
