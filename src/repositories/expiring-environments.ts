import { type Kysely, sql, type Transaction } from 'kysely';
import { statementTime } from '../database/clock.js';
import type { Tables } from '../database/tables.js';

/** An environment that somebody has to be told of, or that is to be released. */
export interface ExpiringEnvironment {
  project: string;
  environment: string;
  is_told: boolean;
  /** Whether it has expired and was told of, and is to be released. */
  is_releasable: boolean;
}

/** Where a port is that an environment holds. */
export interface HeldPort {
  id: string;
  port: number;
  host: string;
  protocol: 'tcp' | 'udp';
}

/** The environments that expire within their notice and were not told of yet, and those that are to be released. */
export async function findExpiring(db: Kysely<Tables>): Promise<ExpiringEnvironment[]> {
  const { rows } = await sql<ExpiringEnvironment>`
    select project, environment, is_told, is_releasable from (
      select e.project, e.environment, known.is_told, known.expires_at - environment_notice(e) <= ${statementTime} as is_due,
             e.on_expiry = 'release' and known.is_told and known.expires_at <= ${statementTime} as is_releasable
      from environments e
      cross join lateral (
        select environment_expires_at(e) as expires_at, coalesce(e.told_at > environment_used_at(e), false) as is_told offset 0
      ) known
      where e.expires_after_seconds is not null
    ) e
    where (is_due and not is_told) or is_releasable
    order by project, environment`.execute(db);
  return rows;
}

export async function findPortsOf(db: Kysely<Tables>, project: string, environment: string): Promise<HeldPort[]> {
  const { rows } = await sql<HeldPort>`
    select id, port, host, protocol from port_allocations
    where released_at is null and project = ${project} and environment = ${environment}
    order by port, host, protocol`.execute(db);
  return rows;
}

/** Records that an environment which can expire is used now. */
export async function recordUse(trx: Transaction<Tables>, project: string, environment: string): Promise<void> {
  await sql`
    update environments set used_at = ${statementTime}
    where project = ${project} and environment = ${environment} and expires_after_seconds is not null`.execute(trx);
}

/**
 * Writes the event environment.due, unless it was written since the environment was last used. One statement decides and
 * writes: of two processes that do it at the same time, the second waits for the first, and then finds that it is told.
 * @returns whether it was written
 */
export async function tellDue(trx: Transaction<Tables>, project: string, environment: string): Promise<boolean> {
  const { rows } = await sql<{ told: number }>`
    with told as (
      update environments e set told_at = ${statementTime}
      where e.project = ${project} and e.environment = ${environment} and e.expires_after_seconds is not null
        and environment_expires_at(e) - environment_notice(e) <= ${statementTime}
        and not coalesce(e.told_at > environment_used_at(e), false)
      returning e.*
    ), held as (
      select count(*) as ports from port_allocations a
      where a.released_at is null and a.project = ${project} and a.environment = ${environment}
    ), recorded as (
      select record_event('environment.due', project, 'projects/' || project || '/environments/' || environment,
        current_actor(), jsonb_build_object('environment', jsonb_build_object(
          'project', project, 'environment', environment, 'path', path, 'ports', held.ports,
          'expiresAt', to_char(environment_expires_at(row(told.*)::environments) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
          'onExpiry', on_expiry, 'expiresAfterSeconds', expires_after_seconds)))
      from told cross join held where held.ports > 0
    )
    select count(*)::integer as told from recorded`.execute(trx);
  return (rows[0]?.told ?? 0) > 0;
}
