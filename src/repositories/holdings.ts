import { randomUUID } from 'node:crypto';
import stringify from 'safe-stable-stringify';
import type { AllocationRow, ReservationRow } from '../database/tables.js';
import * as refusals from '../refusals.js';
import type { AllocationDetails } from '../schemas/allocation.js';
import type { AllocationKey, IdempotencyClaim, Reserve, Space } from './commands.js';
import { PortSpace } from './port-space.js';
import type { Snapshot } from './snapshot.js';

/** What has to be written for the decisions to hold. Releases come first: a port may change hands. */
export interface Writes {
  releasedIds: string[];
  updated: Set<AllocationRow>;
  inserted: Set<AllocationRow>;
  changedReservations: Set<ReservationRow>;
  insertedReservations: Set<ReservationRow>;
  answers: (IdempotencyClaim & { response: object })[];
}

/**
 * What a project holds, as it was looked up and as the commands change it. Each change goes to the rows,
 * to the port space and to `writes`, or is refused before any of them.
 */
export class Holdings {
  readonly writes: Writes = {
    releasedIds: [],
    updated: new Set(),
    inserted: new Set(),
    changedReservations: new Set(),
    insertedReservations: new Set(),
    answers: [],
  };
  readonly #snapshot: Snapshot;
  readonly #rows = new Map<string, AllocationRow>();
  readonly #activeByKey = new Map<string, AllocationRow[]>();
  readonly #reservations = new Map<string, ReservationRow>();
  readonly #spaces = new Map<string, PortSpace>();

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
    for (const row of snapshot.allocations) {
      this.#rows.set(row.id, row);
      if (row.released_at === null) this.#addActive(row);
    }
    for (const row of snapshot.reservations) this.#reservations.set(row.id, row);
    for (const space of snapshot.spaces) {
      this.#spaces.set(nameOf(space), new PortSpace(snapshot.project, snapshot.ranges, snapshot.now, space));
    }
  }

  get now(): Date {
    return this.#snapshot.now;
  }

  demandRanges(): void {
    if (this.#snapshot.ranges.length === 0) throw refusals.projectNotFound(this.#snapshot.project);
  }

  space(space: Space): PortSpace {
    const found = this.#spaces.get(nameOf(space));
    if (!found) throw new Error(`port space ${nameOf(space)} was not looked up`);
    return found;
  }

  /** By port. */
  activeOf(key: Omit<AllocationKey, 'project'>): readonly AllocationRow[] {
    return this.#activeByKey.get(keyName(key)) ?? [];
  }

  /** By port. */
  activeIn(environment: string, { host, protocol }: Space): AllocationRow[] {
    return [...this.#rows.values()]
      .filter((row) => row.released_at === null && row.environment === environment)
      .filter((row) => row.host === host && row.protocol === protocol)
      .sort((a, b) => a.port - b.port);
  }

  /** The project's allocation that holds the port, if one was looked up. */
  activeAt(port: number, space: Space): AllocationRow | undefined {
    const holder = this.space(space).holderOf(port);
    return holder?.kind === 'allocation' && holder.id !== null ? this.#rows.get(holder.id) : undefined;
  }

  find(id: string): AllocationRow {
    const row = this.#rows.get(id);
    if (!row) throw refusals.allocationNotFound(id);
    return row;
  }

  /**
   * The lowest port for the key, or `port`.
   * @param reservation the caller's own reservation of it
   */
  allocate(
    key: Omit<AllocationKey, 'project'>,
    details: AllocationDetails,
    port: number | null,
    reservation?: ReservationRow,
  ): AllocationRow {
    const { project, now } = this.#snapshot;
    const { service, environment, host, protocol } = key;
    const space = this.space(key);
    const id = randomUUID();
    const row: AllocationRow = {
      id,
      port: port === null ? space.lowestFor({ ...key, project }) : space.demand(port, key, reservation),
      project,
      service,
      environment,
      host,
      protocol,
      status: 'allocated',
      service_type: details.serviceType ?? null,
      description: details.description ?? null,
      cloudflare_hostname: details.cloudflareHostname ?? null,
      metadata: details.metadata ?? null,
      allocated_at: now,
      last_used_at: null,
      released_at: null,
      updated_at: now,
    };
    space.allocate(row.port, { kind: 'allocation', id, project, service, environment });
    this.#rows.set(id, row);
    this.#addActive(row);
    this.writes.inserted.add(row);
    return row;
  }

  release(row: AllocationRow): AllocationRow {
    if (row.released_at !== null) return row;
    Object.assign(row, { status: 'released', released_at: this.now, updated_at: this.now });
    const rows = this.#activeByKey.get(keyName(row)) ?? [];
    rows.splice(rows.indexOf(row), 1);
    this.space(row).release(row);
    if (!this.writes.inserted.has(row)) this.writes.releasedIds.push(row.id);
    return row;
  }

  /** Applies what is given and differs; a repeated request writes nothing. */
  update(row: AllocationRow, details: AllocationDetails): AllocationRow {
    if (row.released_at !== null) throw refusals.allocationReleased(row.id);
    if (!changes(row, details)) return row;
    Object.assign(row, { ...columns(details), updated_at: this.now });
    if (!this.writes.inserted.has(row)) this.writes.updated.add(row);
    return row;
  }

  findReservation(id: string): ReservationRow {
    const row = this.#reservations.get(id);
    if (!row) throw refusals.reservationNotFound(id);
    return row;
  }

  /** The lowest free port, or the one asked for; one that is cooling down only for its own service. */
  reserve({ host, protocol, service, port, ttlSeconds, reservedBy, reason }: Reserve): ReservationRow {
    const space = this.space({ host, protocol });
    const row: ReservationRow = {
      id: randomUUID(),
      port: port === null ? space.lowestFree() : space.demand(port, { service, environment: null }),
      project: this.#snapshot.project,
      service,
      host,
      protocol,
      reserved_by: reservedBy,
      reason,
      created_at: this.now,
      expires_at: this.#after(ttlSeconds),
      ended_at: null,
      status: 'active',
      allocation_id: null,
    };
    space.reserve(row.port, reservationHolder(row), row.expires_at);
    this.#reservations.set(row.id, row);
    this.writes.insertedReservations.add(row);
    return row;
  }

  renew(row: ReservationRow, ttlSeconds: number): void {
    this.#changeReservation(row, { expires_at: this.#after(ttlSeconds) });
    this.space(row).reserve(row.port, reservationHolder(row), row.expires_at);
  }

  cancel(row: ReservationRow): void {
    this.#changeReservation(row, { status: 'cancelled', ended_at: this.now });
    this.space(row).cancel(row.port);
  }

  claim(row: ReservationRow, key: Omit<AllocationKey, 'project'>, details: AllocationDetails): AllocationRow {
    const allocation = this.allocate(key, details, row.port, row);
    this.#changeReservation(row, { status: 'claimed', ended_at: this.now, allocation_id: allocation.id });
    return allocation;
  }

  #changeReservation(row: ReservationRow, change: Partial<ReservationRow>): void {
    Object.assign(row, change);
    if (!this.writes.insertedReservations.has(row)) this.writes.changedReservations.add(row);
  }

  #addActive(row: AllocationRow): void {
    const rows = this.#activeByKey.get(keyName(row)) ?? [];
    rows.push(row);
    rows.sort((a, b) => a.port - b.port);
    this.#activeByKey.set(keyName(row), rows);
  }

  #after(seconds: number): Date {
    return new Date(this.now.getTime() + seconds * 1000);
  }
}

/** True when a field that is given differs from what is stored; JSONB keeps no order of keys. */
export function changes(row: AllocationRow, details: AllocationDetails): boolean {
  return Object.entries(columns(details)).some(
    ([column, value]) => stringify(value) !== stringify(row[column as keyof AllocationRow]),
  );
}

function columns(details: AllocationDetails): Partial<AllocationRow> {
  return {
    ...(details.serviceType !== undefined && { service_type: details.serviceType }),
    ...(details.description !== undefined && { description: details.description }),
    ...(details.cloudflareHostname !== undefined && { cloudflare_hostname: details.cloudflareHostname }),
    ...(details.metadata !== undefined && { metadata: details.metadata }),
  };
}

function reservationHolder({ id, project, service }: ReservationRow) {
  return { kind: 'reservation' as const, id, project, service, environment: null };
}

const nameOf = (space: Space) => `${space.protocol} ${space.host}`;
const keyName = (key: Omit<AllocationKey, 'project'>) => `${key.service} ${key.environment} ${nameOf(key)}`;
