import { type Kysely, sql } from 'kysely';
import type { ExcludedPortRow, Tables } from '../database/tables.js';
import * as refusals from '../refusals.js';
import type { ExcludedPort } from '../schemas/port.js';
import { decodeCursor, isPort, type Page, type PageRequest, toPage } from './pages.js';

/** All of them, by port. */
export async function listExcludedPorts(
  db: Kysely<Tables>,
  { limit = 100, cursor, maxBytes }: PageRequest,
): Promise<Page<ExcludedPort>> {
  const after = decodeCursor(cursor, isPort)?.[0] ?? 0;
  const rows = await db
    .selectFrom('excluded_ports')
    .selectAll()
    .where('port', '>', after)
    .orderBy('port')
    .limit(limit + 1)
    .execute();
  return toPage(rows, { limit, maxBytes }, toExcludedPort, (row) => [row.port]);
}

/** @throws AppError excluded-port-not-found */
export async function findExcludedPort(db: Kysely<Tables>, port: number): Promise<ExcludedPort> {
  const row = await db.selectFrom('excluded_ports').selectAll().where('port', '=', port).executeTakeFirst();
  if (!row) throw refusals.excludedPortNotFound(port);
  return toExcludedPort(row);
}

/** Which of these ports are excluded. */
export async function findExcluded(db: Kysely<Tables>, asked: readonly { port: number }[]): Promise<Set<number>> {
  const { rows } = await sql<{ port: number }>`
    select port from excluded_ports where port = any(${asked.map(({ port }) => port)}::integer[])`.execute(db);
  return new Set(rows.map(({ port }) => port));
}

/**
 * Excludes a port. Of one that is excluded already, replaces the reason. Waits for the lock of the port's range: a
 * transaction under way may have found the port free already, and would otherwise give it out after this was answered.
 * @returns `created`: whether it was not excluded before. `xmax` is 0 in a row that this statement has inserted.
 */
export async function upsertExcludedPort(
  db: Kysely<Tables>,
  port: number,
  reason: string,
): Promise<{ excluded: ExcludedPort; created: boolean }> {
  const { rows } = await sql<ExcludedPortRow & { created: boolean }>`
    insert into excluded_ports (port, reason)
    select ${port}::integer, ${reason}::text from (select count(*) from (${lockRangeOf(port)}) as locked) as once
    on conflict (port) do update set reason = excluded.reason
    returning *, xmax = 0 as created`.execute(db);
  const [row] = rows as [(typeof rows)[0]];
  return { excluded: toExcludedPort(row), created: row.created };
}

/**
 * Waits for the same lock, so that no transaction passes the port over after this was answered.
 * @returns whether it was excluded
 */
export async function deleteExcludedPort(db: Kysely<Tables>, port: number): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('excluded_ports')
    .where('port', '=', port)
    .where(sql<boolean>`(select count(*) from (${lockRangeOf(port)}) as locked) >= 0`)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

const lockRangeOf = (port: number) =>
  sql`select from port_ranges where start_port <= ${port} and end_port >= ${port} for update`;

export const toExcludedPort = ({ port, reason, created_at }: ExcludedPortRow): ExcludedPort => ({
  port,
  reason,
  createdAt: created_at.toISOString(),
});
