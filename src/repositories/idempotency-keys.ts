import { createHash } from 'node:crypto';
import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import stringify from 'safe-stable-stringify';
import { textArray } from '../database/statements.js';
import type { Json, Tables } from '../database/tables.js';
import { idempotencyKeyReused } from '../refusals.js';

const KEPT_HOURS = 24;
/** Not `clock_timestamp()`, which is volatile: PostgreSQL compares no index with it. */
const expiry = sql<Date>`statement_timestamp() - make_interval(hours => ${sql.lit(KEPT_HOURS)})`;
/** Each insert removes up to this many old keys, so that the table needs no sweep of its own. */
const SWEPT_PER_INSERT = 10;

/** The answers of what belongs to no one project are kept under this, which is no project's name. */
export const NO_PROJECT = '';

/** The `Idempotency-Key` of a request: a retry with the same key and hash gets the first answer back. */
export interface IdempotencyKey {
  /** Whose key it is: two callers may use one key for two things. */
  caller: string;
  key: string;
  requestHash: string;
}

/** SHA-256 over the operation and its normalised input: the order of JSON fields does not matter. */
export function hashRequest(operation: string, input: unknown): string {
  return createHash('sha256')
    .update(stringify([operation, input]) ?? '')
    .digest('hex');
}

interface Answer {
  caller: string;
  key: string;
  request_hash: string;
  response: Json;
}

/** The answers that these keys got in the last 24 hours. */
export function answersOf(project: string, keys: readonly IdempotencyKey[]): RawBuilder<Answer> {
  return sql`
    select caller, key, request_hash, response from idempotency_keys
    where project = ${project} and key = any(${textArray(keys.map(({ key }) => key))}) and created_at > ${expiry}`;
}

/**
 * The answer that one key got in the last 24 hours; null if it has none.
 * @throws AppError idempotency-key-reused
 */
export async function findAnswer(trx: Kysely<Tables>, project: string, key: IdempotencyKey): Promise<Json | null> {
  const { rows } = await answersOf(project, [key]).execute(trx);
  const answer = rows.find(({ caller }) => caller === key.caller);
  if (answer && answer.request_hash !== key.requestHash) throw idempotencyKeyReused(key.key);
  return answer?.response ?? null;
}

/**
 * The same for a change that takes no project's lock. It locks the key, so that callers that use one key wait for one
 * another.
 * @throws AppError idempotency-key-reused
 */
export async function lockAndFindAnswer(
  trx: Transaction<Tables>,
  project: string,
  key: IdempotencyKey,
): Promise<Json | null> {
  await lockName(trx, `${key.caller} ${key.key}`);
  return findAnswer(trx, project, key);
}

/**
 * Waits until nobody else has locked the same name, and locks it until the transaction ends (an advisory lock). The
 * schema is part of it, because advisory locks belong to the whole database, which may have several registries.
 */
export async function lockName(trx: Transaction<Tables>, name: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${name}, current_schema()::regnamespace::oid::bigint))`.execute(
    trx,
  );
}

/**
 * The query for how many keys of a project count towards its limit: those whose answers are still given. Counting stops
 * at one more than the limit. `offset 0` keeps it to the primary key: by the index of ages it would read the keys of all
 * projects.
 * @param caller counts only this caller's keys
 */
export function countAnswers(project: string, limit: number, caller?: string): RawBuilder<{ count: number }> {
  const ofCaller = caller === undefined ? sql`` : sql`and caller = ${caller}`;
  return sql`
    select count(*)::integer as count from (
      select from (select created_at from idempotency_keys where project = ${project} ${ofCaller} offset 0) own
      where created_at > ${expiry} limit ${limit + 1}) kept`;
}

/**
 * Stores answers in the transaction of the changes that they tell of, so that both are kept or neither.
 * @throws AppError idempotency-key-reused when a change that waits for another lock has stored the key since it was
 * looked up
 */
export async function insertAnswers(
  trx: Transaction<Tables>,
  project: string,
  answers: readonly (IdempotencyKey & { response: object })[],
): Promise<void> {
  const stored = await trx
    .insertInto('idempotency_keys')
    .values(
      answers.map(({ caller, key, requestHash, response }) => ({
        project,
        caller,
        key,
        request_hash: requestHash,
        response: response as Json,
        created_at: sql<Date>`clock_timestamp()`,
      })),
    )
    .onConflict((conflict) =>
      conflict
        .columns(['project', 'caller', 'key'])
        .doUpdateSet((row) => ({
          request_hash: row.ref('excluded.request_hash'),
          response: row.ref('excluded.response'),
          created_at: row.ref('excluded.created_at'),
        }))
        .where('idempotency_keys.created_at', '<=', expiry),
    )
    .returning(['caller', 'key'])
    .execute();
  const lost = answers.find(({ caller, key }) => !stored.some((row) => row.caller === caller && row.key === key));
  if (lost) throw idempotencyKeyReused(lost.key);
  await sql`
    delete from idempotency_keys where ctid in (
      select ctid from idempotency_keys
      where created_at <= ${expiry}
      order by created_at limit ${SWEPT_PER_INSERT} for update skip locked)`.execute(trx);
}
