import { type Kysely, sql, type Transaction } from 'kysely';
import type { IsAbandoned } from '../batcher.js';
import { toAppError } from '../database/errors.js';
import type { RangeRow, Tables } from '../database/tables.js';
import * as refusals from '../refusals.js';
import { type NewRange, RANGE_SIZE, type Range, type RangeChange } from '../schemas/range.js';
import type { Access } from './access.js';
import type { IdempotencyClaim, Space } from './commands.js';
import { findAnswer, insertAnswers } from './idempotency.js';
import { decodeCursor, isPort, type Page, toPage } from './pages.js';
import { lockRanges } from './project-transaction.js';
import { type CountsRow, toRange } from './rows.js';
import type { Store } from './store.js';

const FIRST_PORT = 3000;
const LAST_PORT = 64999;
/** The lane of creations, and what their advisory lock is named after; no project has this name. */
const CREATIONS = 'port_ranges: creations';
/** Searches for a free block, when each is taken by somebody who does not queue for it. */
const MAX_SEARCHES = 3;

const DEFAULT_SPACE: Space = { host: 'localhost', protocol: 'tcp' };

/** By start port; everybody reads all of them. */
export async function listRanges(
  { db, access }: Store,
  space: Space,
  { limit = 100, cursor }: { limit?: number; cursor?: string },
): Promise<Page<Range>> {
  const after = decodeCursor(cursor, isPort)?.[0] ?? 0;
  const { rows } = await sql<RangeRow & CountsRow>`
    select r.*, c.* from port_ranges r
    join range_counts(${space.host}, ${space.protocol}) c using (start_port)
    where r.start_port > ${after} order by r.start_port limit ${limit + 1}`.execute(db);
  return toPage(
    rows,
    limit,
    (row) => describeTo(access, toRange(row)),
    (row) => [row.start_port],
  );
}

/** @throws AppError range-not-found */
export async function findRange({ db, access }: Store, startPort: number, space: Space): Promise<Range> {
  return describeTo(access, await readRange(db, startPort, space));
}

/** Whose a range is and how full is for everybody; what its owner wrote about it is not. */
export function describeTo(access: Access, range: Range): Range {
  return access.sees(range.project) ? range : { ...range, description: null };
}

/** @throws AppError range-not-found */
export async function readRange(db: Kysely<Tables>, startPort: number, space: Space = DEFAULT_SPACE): Promise<Range> {
  const { rows } = await sql<RangeRow & CountsRow>`
    select r.*, c.* from port_ranges r
    join range_counts(${space.host}, ${space.protocol}) c using (start_port)
    where r.start_port = ${startPort}`.execute(db);
  if (!rows[0]) throw refusals.rangeNotFound(startPort);
  return toRange(rows[0]);
}

export async function hasRange(db: Kysely<Tables>, project: string): Promise<boolean> {
  const row = await db.selectFrom('port_ranges').select('start_port').where('project', '=', project).executeTakeFirst();
  return row !== undefined;
}

/**
 * Creates a range at `startPort`, or in the lowest free block.
 *
 * Creations wait for one another (an advisory lock, for which nothing else waits), so that two callers who
 * leave the port out get two blocks; the exclusion constraint holds whatever else happens.
 * @throws AppError range-overlap, no-free-block, idempotency-key-reused
 */
export function createRange(
  store: Store,
  range: NewRange,
  options: CreationOptions,
  isAbandoned?: IsAbandoned,
): Promise<{ range: Range; replayed: boolean }> {
  const create = async (db: Kysely<Tables>) => {
    for (let search = 1; ; search++) {
      try {
        return await insertRange(db, range, options);
      } catch (error) {
        const isOvertaken = range.startPort === undefined && toAppError(error)?.code === 'range-overlap';
        if (!isOvertaken || search === MAX_SEARCHES) throw error;
      }
    }
  };
  return store.change('ranges', create, { lane: CREATIONS, isAbandoned });
}

interface CreationOptions {
  reuseCooldownSeconds: number;
  idempotency: IdempotencyClaim | null;
}

function insertRange(db: Kysely<Tables>, range: NewRange, options: CreationOptions) {
  return db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(hashtextextended(${CREATIONS}, 0))`.execute(trx);
    const claim = options.idempotency;
    const answer = claim && (await findAnswer(trx, range.project, claim));
    if (answer) return { range: answer as Range, replayed: true };
    const kind = range.kind ?? 'project';
    const startPort = range.startPort ?? (await findFreeBlock(trx, RANGE_SIZE[kind]));
    if (range.startPort !== undefined) await demandFreeBlock(trx, startPort, startPort + RANGE_SIZE[kind] - 1);
    await trx
      .insertInto('port_ranges')
      .values({
        start_port: startPort,
        end_port: startPort + RANGE_SIZE[kind] - 1,
        project: range.project,
        kind,
        description: range.description ?? null,
        reuse_cooldown_seconds: options.reuseCooldownSeconds,
      })
      .execute();
    const created = await readRange(trx, startPort);
    if (claim) await insertAnswers(trx, range.project, [{ ...claim, response: created }], 201);
    return { range: created, replayed: false };
  });
}

/** @throws AppError range-not-found */
export function updateRange(
  store: Store,
  startPort: number,
  change: RangeChange,
  isAbandoned?: IsAbandoned,
): Promise<Range> {
  const update = async (trx: Transaction<Tables>, range: RangeRow) => {
    await trx
      .updateTable('port_ranges')
      .set({
        description: change.description === undefined ? range.description : change.description,
        reuse_cooldown_seconds: change.reuseCooldownSeconds ?? range.reuse_cooldown_seconds,
      })
      .where('start_port', '=', startPort)
      .execute();
    return readRange(trx, startPort);
  };
  return changeRange(store, startPort, update, isAbandoned);
}

/**
 * Removes a range in which nothing is held, on any host and protocol; its history stays.
 * @throws AppError range-not-found, range-in-use
 */
export function deleteRange(store: Store, startPort: number, isAbandoned?: IsAbandoned): Promise<void> {
  const remove = async (trx: Transaction<Tables>, range: RangeRow) => {
    const { rows } = await sql<{ allocated: number; reserved: number }>`
      select
        (select count(*)::integer from port_allocations
         where released_at is null and port between ${range.start_port} and ${range.end_port}) as allocated,
        (select count(*)::integer from port_reservations
         where status = 'active' and expires_at > clock_timestamp()
           and port between ${range.start_port} and ${range.end_port}) as reserved`.execute(trx);
    const { allocated = 0, reserved = 0 } = rows[0] ?? {};
    if (allocated + reserved > 0) throw refusals.rangeInUse(range, allocated, reserved);
    await trx.deleteFrom('port_ranges').where('start_port', '=', startPort).execute();
  };
  return changeRange(store, startPort, remove, isAbandoned);
}

/** The smallest block that a range around the port would take; null where ranges cannot lie. */
export function blockAround(port: number): { startPort: number; endPort: number } | null {
  const startPort = port - (port % RANGE_SIZE.project);
  const endPort = startPort + RANGE_SIZE.project - 1;
  return startPort < FIRST_PORT || endPort > LAST_PORT ? null : { startPort, endPort };
}

/** One change of a project's ranges at a time, so that those who wait for its lock hold one connection. */
async function changeRange<T>(
  store: Store,
  startPort: number,
  change: (trx: Transaction<Tables>, range: RangeRow) => Promise<T>,
  isAbandoned?: IsAbandoned,
): Promise<T> {
  store.access.demandChange('ranges');
  const { project } = await findRow(store.db, startPort);
  const work = (db: Kysely<Tables>) =>
    db.transaction().execute(async (trx) => change(trx, await lockRange(trx, startPort)));
  return store.change('ranges', work, { lane: project, isAbandoned });
}

/** Locks all ranges of the range's project, in the global order, as every allocation does. */
async function lockRange(trx: Transaction<Tables>, startPort: number): Promise<RangeRow> {
  const { project } = await findRow(trx, startPort);
  await lockRanges(trx, project);
  return findRow(trx, startPort);
}

async function findRow(db: Kysely<Tables>, startPort: number): Promise<RangeRow> {
  const row = await db.selectFrom('port_ranges').selectAll().where('start_port', '=', startPort).executeTakeFirst();
  if (!row) throw refusals.rangeNotFound(startPort);
  return row;
}

async function findFreeBlock(trx: Transaction<Tables>, size: number): Promise<number> {
  const ranges = await trx.selectFrom('port_ranges').select(['start_port', 'end_port']).orderBy('start_port').execute();
  let start = FIRST_PORT;
  for (const range of ranges) {
    if (start + size <= range.start_port) break;
    start = range.end_port + 1;
  }
  if (start + size - 1 > LAST_PORT) throw refusals.noFreeBlock(size, FIRST_PORT, LAST_PORT);
  return start;
}

async function demandFreeBlock(trx: Transaction<Tables>, startPort: number, endPort: number): Promise<void> {
  if (endPort > LAST_PORT) throw refusals.rangeEndsTooHigh(endPort, LAST_PORT);
  const overlapping = await trx
    .selectFrom('port_ranges')
    .select(['start_port', 'end_port', 'project'])
    .where('start_port', '<=', endPort)
    .where('end_port', '>=', startPort)
    .orderBy('start_port')
    .execute();
  if (overlapping.length > 0) throw refusals.rangeOverlap(startPort, endPort, overlapping);
}
