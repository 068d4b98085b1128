import type { IdempotencyClaim } from '../repositories/commands.js';
import { findProbeable, insertHealthCheck } from '../repositories/health-checks.js';
import { findAnswer } from '../repositories/idempotency.js';
import type { Store } from '../repositories/store.js';
import type { HealthCheck } from '../schemas/health-check.js';
import type { Prober } from './prober.js';

/**
 * Probes one allocation, stores the result and moves the status. The probe comes before the transaction;
 * an allocation released in between keeps its check and stays released.
 * @throws AppError allocation-not-found, not-probeable, idempotency-key-reused
 */
export async function checkHealth(
  store: Store,
  prober: Prober,
  allocationId: string,
  claim: IdempotencyClaim | null,
): Promise<{ healthCheck: HealthCheck; replayed: boolean }> {
  const { project, host, port } = await findProbeable(store, allocationId);
  const answer = claim && (await findAnswer(store.db, project, claim));
  if (answer) return { healthCheck: answer as HealthCheck, replayed: true };
  const result = await prober.probe(await prober.resolve(host), port);
  return insertHealthCheck(store, project, { allocationId, port, host, ...result }, claim);
}
