import { type Kysely, type RawBuilder, type Selectable, sql, type Transaction } from 'kysely';
import type { Access } from '../access/access.js';
import { statementTime } from '../database/clock.js';
import type { PortAuditsTable, Tables } from '../database/tables.js';
import * as refusals from '../refusals.js';
import type { Audit, AuditConflict, AuditFigures, AuditQuery, AuditScope, LastAudit } from '../schemas/audit.js';
import { cursorAfter, decodeCursor, isTime, isUuid, PAGE_BYTES, type Page, type PageRequest } from './pages.js';

/** An audit that is finished, as it is to be kept. */
export interface NewAudit extends AuditFigures {
  scope: AuditScope;
  /** The projects whose findings it has, in alphabetical order; null for all. */
  covers: string[] | null;
  requestedBy: string;
}

type AuditRow = Omit<Selectable<PortAuditsTable>, 'json_bytes'>;

const columns = sql`
  id, project, host, unallocated, covers, fully_probed_hosts, requested_by, checked_at, duration_ms, allocated, in_use,
  not_running, health, checked_ports, conflicts`;

/** `checkedAt` is when the row is inserted, by the database's clock. */
export async function insertAudit(trx: Transaction<Tables>, audit: NewAudit): Promise<Audit> {
  const { scope, covers, requestedBy, conflicts } = audit;
  const values = {
    project: scope.project ?? null,
    host: scope.host ?? null,
    unallocated: scope.unallocated ?? false,
    covers,
    fully_probed_hosts: audit.fullyProbedHosts,
    requested_by: requestedBy,
    duration_ms: Math.round(audit.durationMs),
    allocated: audit.allocated,
    in_use: audit.inUse,
    not_running: audit.notRunning,
    health: audit.health,
    checked_ports: audit.checkedPorts,
  };
  const { id, checked_at } = await trx
    .insertInto('port_audits')
    .values({ ...values, conflicts: JSON.stringify(conflicts) })
    .returning(['id', 'checked_at'])
    .executeTakeFirstOrThrow();
  return toAudit({ ...values, id, checked_at, conflicts });
}

/**
 * Deletes the oldest of the audits that cover the same projects: those behind the newest `limit`, and those with which
 * the newer ones would have more than `maxBytes`. The newest one stays, however large it is. Rows that somebody else
 * deletes at the same time are skipped.
 */
export async function deleteSurplusAudits(
  trx: Transaction<Tables>,
  covers: string[] | null,
  { limit, maxBytes }: { limit: number; maxBytes: number },
): Promise<void> {
  const isOfSameGroup = covers === null ? sql`covers is null` : sql`covers = ${covers}::text[]`;
  await sql`
    delete from port_audits where id in (
      select id from port_audits
      where id in (
        select id from (
          select id, row_number() over newest as place, sum(json_bytes) over newest as bytes
          from port_audits where ${isOfSameGroup} window newest as (order by checked_at desc, id desc)
        ) ranked
        where place > 1 and (place > ${limit} or bytes > ${maxBytes})
      )
      for update skip locked)`.execute(trx);
}

/** @throws AppError audit-not-found */
export async function findAudit(db: Kysely<Tables>, access: Access, id: string): Promise<Audit> {
  const { rows } = await sql<AuditRow>`
    select ${columns} from port_audits where id = ${id} and ${isVisible(access)}`.execute(db);
  if (!rows[0]) throw refusals.auditNotFound(id);
  return toAudit(rows[0]);
}

/**
 * Newest first. One audit may have thousands of conflicts, so rows beyond `maxBytes` are left out in SQL and never reach
 * this process.
 */
export async function listAudits(
  db: Kysely<Tables>,
  access: Access,
  query: AuditQuery & PageRequest,
): Promise<Page<Audit>> {
  const { project, host, covering = false, limit = 100, cursor, maxBytes = PAGE_BYTES } = query;
  const before = decodeCursor(cursor, isTime, isUuid);
  const isAskedFor = covering
    ? isCovering(access, { project, host })
    : sql`${project === undefined ? sql`true` : sql`project = ${project}`}
          and ${host === undefined ? sql`true` : sql`host = ${host}`}`;
  const isOnPage = before ? sql`(checked_at, id) < (${before[0]}::timestamptz, ${before[1]}::uuid)` : sql`true`;
  const { rows } = await sql<AuditRow & { has_next: boolean }>`
    select ${columns}, has_next from (
      select asked.*, sum(json_bytes) over newest - json_bytes as bytes_before,
             lead(id) over newest is not null as has_next
      from (
        select * from port_audits where ${isVisible(access)} and ${isAskedFor} and ${isOnPage}
        order by checked_at desc, id desc limit ${limit + 1}
      ) asked
      window newest as (order by checked_at desc, id desc)
    ) page
    where bytes_before < ${maxBytes} order by checked_at desc, id desc limit ${limit}`.execute(db);
  const last = rows.at(-1);
  return {
    items: rows.map(toAudit),
    nextCursor: cursorAfter(last, last?.has_next ?? false, (row) => [row.checked_at.toISOString(), row.id]),
  };
}

/**
 * The newest audit that covers a project on a host, in short; null if none is kept that the caller may see. `health` is
 * that of all it covers, and `conflicts` counts those of the project and host.
 */
export async function findLastAudit(
  db: Kysely<Tables>,
  access: Access,
  asked: { project: string; host: string },
): Promise<LastAudit | null> {
  const { rows } = await sql<Pick<AuditRow, 'id' | 'checked_at' | 'health'> & { age: number; conflicts: number }>`
    select id, checked_at, health, (
             select count(*)::integer from jsonb_array_elements(conflicts) c
             where c->>'project' = ${asked.project} and c->>'host' = ${asked.host}
           ) as conflicts,
           greatest(0, floor(extract(epoch from ${statementTime} - checked_at)))::integer as age
    from port_audits where ${isVisible(access)} and ${isCovering(access, asked)}
    order by checked_at desc, id desc limit 1`.execute(db);
  const [row] = rows;
  if (!row) return null;
  const { id, checked_at, age, health, conflicts } = row;
  return { id, checkedAt: checked_at.toISOString(), ageSeconds: age, health, conflicts };
}

/**
 * The newest audit that was asked for with this very scope by somebody who sees the same projects, if it is not older
 * than `maxAgeSeconds`.
 */
export async function findRecentAudit(
  db: Kysely<Tables>,
  access: Access,
  scope: AuditScope,
  maxAgeSeconds: number,
): Promise<Audit | null> {
  const { project, host, unallocated = false } = scope;
  const covers = coveredBy(access, scope);
  const { rows } = await sql<AuditRow>`
    select ${columns} from port_audits
    where ${isVisible(access)} and covers is not distinct from ${covers}::text[] and unallocated = ${unallocated}
      and project is not distinct from ${project ?? null}::text and host is not distinct from ${host ?? null}::text
      and checked_at >= ${statementTime} - make_interval(secs => ${maxAgeSeconds})
    order by checked_at desc, id desc limit 1`.execute(db);
  return rows[0] ? toAudit(rows[0]) : null;
}

/** The projects whose findings an audit of this scope has, in alphabetical order; null for all. */
export function coveredBy({ projects }: Pick<Access, 'projects'>, { project }: AuditScope): string[] | null {
  if (project !== undefined) return [project];
  return projects && [...projects].sort();
}

/**
 * The condition that leaves out the audits that a caller may not see. An audit is visible only to those who see all
 * projects that it covers, because its conflicts and figures are about all of them.
 */
function isVisible({ projects }: Access): RawBuilder<boolean> {
  return projects === null ? sql`true` : sql`covers <@ ${projects}::text[]`;
}

/** Whether an audit covers the project and the host; if left out, all projects that the caller sees, and all hosts. */
function isCovering(
  { projects }: Access,
  { project, host }: { project?: string | undefined; host?: string | undefined },
): RawBuilder<boolean> {
  const asked = project === undefined ? projects : [project];
  const hasProjects = asked === null ? sql`covers is null` : sql`(covers is null or covers @> ${asked}::text[])`;
  return sql`${hasProjects} and ${host === undefined ? sql`host is null` : sql`(host is null or host = ${host})`}`;
}

function toAudit(row: AuditRow): Audit {
  return {
    id: row.id,
    project: row.project,
    host: row.host,
    unallocated: row.unallocated,
    covers: row.covers,
    requestedBy: row.requested_by,
    allocated: row.allocated,
    inUse: row.in_use,
    notRunning: row.not_running,
    health: row.health,
    conflicts: row.conflicts as AuditConflict[],
    checkedPorts: row.checked_ports,
    fullyProbedHosts: row.fully_probed_hosts,
    durationMs: row.duration_ms,
    checkedAt: row.checked_at.toISOString(),
  };
}
