import { type CompiledQuery, type RawBuilder, sql, type Transaction } from 'kysely';
import { type Actor, isSameActor, SERVICE } from '../access/actor.js';
import { tellActors } from '../database/actors.js';
import { compilePrepared, textArray } from '../database/statements.js';
import type { AllocationRow, ReservationRow, Tables } from '../database/tables.js';
import { tellReleased, writeEnvironments } from './environments.js';
import { keepHostnames, removeOldKeptHostnames } from './hostnames.js';
import type { ProjectState } from './project-state.js';
import type { Round } from './writes.js';

/** The statements that make the decisions hold, in the order in which they have to run; none if nothing was decided. */
export function toStatements(
  trx: Transaction<Tables>,
  { project, writes: { rounds, keptHostnames }, now }: Pick<ProjectState, 'project' | 'writes' | 'now'>,
): CompiledQuery[] {
  return [
    ...rounds.flatMap((round) => statementsOf(trx, project, round, now)),
    ...(keptHostnames.size > 0
      ? [keepHostnames(project, keptHostnames).compile(trx), removeOldKeptHostnames(now).compile(trx)]
      : []),
  ];
}

/**
 * The triggers that write the events are told first who makes the changes. Releases come before inserts, because a port
 * that one command released may have been allocated by the next. Reservations come after allocations, because a claimed
 * reservation refers to its allocation.
 */
function statementsOf(trx: Transaction<Tables>, project: string, round: Round, now: Date): CompiledQuery[] {
  const { inserted, updated, changedReservations, insertedReservations, environments, releasedEnvironments } = round;
  const statements = [
    ...(updated.size > 0 ? [updateAllocations(updated).compile(trx)] : []),
    ...releasesOf(round).map(({ actor, ids }) => compilePrepared(releaseAllocations(ids, actor, now), trx)),
    ...tellReleased(project, releasedEnvironments).map((statement) => statement.compile(trx)),
    ...(inserted.size > 0 ? [compilePrepared(insertAllocations(inserted), trx)] : []),
    ...(changedReservations.size > 0 ? [updateReservations(changedReservations).compile(trx)] : []),
    ...(insertedReservations.size > 0
      ? [endExpired(insertedReservations, now).compile(trx), insertReservations(insertedReservations).compile(trx)]
      : []),
    ...writeEnvironments(project, environments, now).map((statement) => statement.compile(trx)),
  ];
  if (statements.length === 0) return [];
  const others = [...round.actors].filter(([, other]) => !isSameActor(round.actor, other));
  if (insertedReservations.size > 0) others.push(['expired', SERVICE]);
  return [compilePrepared(tellActors(round.actor, others), trx), ...statements];
}

/** The ids that are released, by who releases them: usually one caller. */
function releasesOf({ released }: Round): { actor: Actor; ids: string[] }[] {
  const releases: { actor: Actor; ids: string[] }[] = [];
  for (const [id, actor] of released) {
    const found = releases.find((release) => isSameActor(release.actor, actor));
    if (found) found.ids.push(id);
    else releases.push({ actor, ids: [id] });
  }
  return releases;
}

function releaseAllocations(ids: string[], actor: Actor, now: Date): RawBuilder<unknown> {
  return sql`
    update port_allocations
    set status = 'released', released_at = ${now}, updated_at = ${now}, released_by = ${JSON.stringify(actor)}::jsonb
    where id = any(${textArray(ids)}::uuid[])`;
}

function insertAllocations(rows: Set<AllocationRow>): RawBuilder<unknown> {
  return sql`
    insert into port_allocations (
      id, port, project, service, environment, host, protocol, status, service_type, description,
      cloudflare_hostname, hostname_withheld_at, metadata, allocated_at, last_used_at, released_at, updated_at,
      allocated_by, released_by)
    select
      id, port, project, service, environment, host, protocol, status, service_type, description,
      cloudflare_hostname, hostname_withheld_at, metadata, allocated_at, last_used_at, released_at, updated_at,
      allocated_by, released_by
    from jsonb_populate_recordset(null::port_allocations, ${toJson(rows)}::jsonb)`;
}

function updateAllocations(rows: Set<AllocationRow>): RawBuilder<unknown> {
  return sql`
    update port_allocations a
    set service_type = u.service_type, description = u.description,
        cloudflare_hostname = u.cloudflare_hostname, hostname_withheld_at = u.hostname_withheld_at,
        metadata = u.metadata, updated_at = u.updated_at
    from jsonb_populate_recordset(null::port_allocations, ${toJson(rows)}::jsonb) u
    where a.id = u.id`;
}

/**
 * Sets every column that can change. A sweep may have marked a row as expired a moment before it was renewed in time:
 * the renewal, which was decided under the lock, counts.
 */
function updateReservations(rows: Set<ReservationRow>): RawBuilder<unknown> {
  return sql`
    update port_reservations v
    set status = u.status, expires_at = u.expires_at, ended_at = u.ended_at, allocation_id = u.allocation_id
    from jsonb_populate_recordset(null::port_reservations, ${toJson(rows)}::jsonb) u
    where v.id = u.id`;
}

/**
 * Until a sweep marks it, an expired reservation keeps its entry in the unique index, where it would refuse the new
 * one.
 */
function endExpired(rows: Set<ReservationRow>, now: Date): RawBuilder<unknown> {
  return sql`
    update port_reservations v set status = 'expired', ended_at = v.expires_at
    from jsonb_populate_recordset(null::port_reservations, ${toJson(rows)}::jsonb) n
    where v.status = 'active' and v.expires_at <= ${now}
      and v.host = n.host and v.protocol = n.protocol and v.port = n.port`;
}

function insertReservations(rows: Set<ReservationRow>): RawBuilder<unknown> {
  return sql`
    insert into port_reservations (
      id, port, project, service, host, protocol, reserved_by, reason, created_at, expires_at, ended_at,
      status, allocation_id)
    select
      id, port, project, service, host, protocol, reserved_by, reason, created_at, expires_at, ended_at,
      status, allocation_id
    from jsonb_populate_recordset(null::port_reservations, ${toJson(rows)}::jsonb)`;
}

const toJson = (rows: Iterable<AllocationRow | ReservationRow>) => JSON.stringify([...rows]);
