import type { Transaction } from 'kysely';
import type { Allowances } from '../allocator/limits/allowances.js';
import { lockRanges } from '../allocator/transaction.js';
import type { Tables } from '../database/tables.js';
import * as refusals from '../refusals.js';
import type { NewHealthCheck } from '../repositories/health-checks.js';
import * as healthChecks from '../repositories/health-checks.js';
import { findAnswer, type IdempotencyKey, insertAnswers } from '../repositories/idempotency-keys.js';
import type { Page } from '../repositories/pages.js';
import type { Allocation } from '../schemas/allocation.js';
import type { PageQuery } from '../schemas/common.js';
import type { HealthCheck } from '../schemas/health-check.js';
import { findAllocation } from './allocations.js';
import { requireRoomForAnswer } from './limits.js';
import type { Session } from './session.js';

/**
 * The allocation, if a TCP connection can tell anything about it.
 * @throws AppError allocation-not-found, not-probeable
 */
export async function findProbeable(session: Session, id: string): Promise<Allocation> {
  const allocation = await findAllocation(session, id);
  if (allocation.releasedAt !== null) throw refusals.releasedNotProbeable(allocation);
  if (allocation.protocol !== 'tcp') throw refusals.udpNotProbeable(id);
  return allocation;
}

/**
 * Stores one check and moves the allocation's status.
 * @throws AppError idempotency-key-reused, limit-reached, forbidden
 */
export async function insertHealthCheck(
  session: Session,
  project: string,
  check: NewHealthCheck,
  idempotency: IdempotencyKey | null,
): Promise<{ healthCheck: HealthCheck; replayed: boolean }> {
  const insert = (trx: Transaction<Tables>) => insertOnce(trx, session.allowances, project, check, idempotency);
  // With an idempotency key it takes the project's lock, and so waits in a queue. What was probed is stored for all
  // that read it, also when its caller has left.
  const options = idempotency ? { queue: project, evenIfAbandoned: true } : {};
  const stored = await session.change({ project }, insert, options);
  if (!stored.replayed) await session.healthCheckLimit.stored(new Map([[project, 1]]));
  return stored;
}

async function insertOnce(
  trx: Transaction<Tables>,
  allowances: Allowances,
  project: string,
  check: NewHealthCheck,
  idempotency: IdempotencyKey | null,
): Promise<{ healthCheck: HealthCheck; replayed: boolean }> {
  if (idempotency) await lockRanges(trx, project); // callers that use one key wait here for one another
  const answer = idempotency && (await findAnswer(trx, project, idempotency));
  if (answer) return { healthCheck: answer as HealthCheck, replayed: true };
  if (idempotency) await requireRoomForAnswer(trx, allowances, project);
  const healthCheck = await healthChecks.insertHealthCheck(trx, check);
  if (healthCheck === null) throw refusals.allocationNotFound(check.allocationId);
  if (idempotency) await insertAnswers(trx, project, [{ ...idempotency, response: healthCheck }]);
  return { healthCheck, replayed: false };
}

/**
 * Stores the checks of an audit and moves the allocations' statuses.
 * @throws AppError forbidden
 */
export async function insertHealthChecks(session: Session, checks: readonly NewHealthCheck[]): Promise<void> {
  const stored = await session.change('audits', (trx) => healthChecks.insertHealthChecks(trx, checks));
  await session.healthCheckLimit.stored(stored);
}

/**
 * Newest first.
 * @throws AppError allocation-not-found
 */
export async function listHealthChecks(session: Session, id: string, query: PageQuery): Promise<Page<HealthCheck>> {
  const page = await session.readUnfiltered(healthChecks.listHealthChecks, id, query); // refuses a bad cursor first
  await findAllocation(session, id);
  return page;
}
