import { type Actor, SERVICE } from '../access/actor.js';
import type { AllocationRow, ReservationRow } from '../database/tables.js';
import type { IdempotencyKey } from '../repositories/idempotency-keys.js';
import type { EnvironmentRecord, ReleasedEnvironment } from './environments.js';

/** What has to be written so that the decisions hold, and who has made each change. write.ts says in which order. */
export class Writes {
  /** Whose command is being decided. */
  actor: Actor = SERVICE;
  /** The ids of the allocations that are released, each with who releases it. */
  readonly released = new Map<string, Actor>();
  readonly updated = new Set<AllocationRow>();
  readonly inserted = new Set<AllocationRow>();
  readonly changedReservations = new Set<ReservationRow>();
  readonly insertedReservations = new Set<ReservationRow>();
  /** Who has made the changes of which no row says so: by the id of the row, or for new reservations `created ID`. */
  readonly actors = new Map<string, Actor>();
  /** Hostnames that were given up, and until when each is kept for the project. */
  readonly keptHostnames = new Map<string, Date>();
  /** Environments whose record is written, or removed (null). */
  readonly environments = new Map<string, EnvironmentRecord | null>();
  /** Whole environments that were released, each with who released it. */
  readonly releasedEnvironments: (ReleasedEnvironment & { actor: Actor })[] = [];
  readonly answers: (IdempotencyKey & { response: object })[] = [];

  insertAllocation(row: AllocationRow): void {
    row.allocated_by = this.actor;
    this.inserted.add(row);
  }

  /** Of a row that is inserted by the same transaction, only the last state is written. */
  releaseAllocation(row: AllocationRow): void {
    row.released_by = this.actor;
    if (!this.inserted.has(row)) this.released.set(row.id, this.actor);
  }

  releaseEnvironment(released: ReleasedEnvironment): void {
    this.releasedEnvironments.push({ ...released, actor: this.actor });
  }

  updateAllocation(row: AllocationRow): void {
    if (this.inserted.has(row)) return;
    this.updated.add(row);
    this.actors.set(row.id, this.actor);
  }

  insertReservation(row: ReservationRow): void {
    this.insertedReservations.add(row);
    this.actors.set(`created ${row.id}`, this.actor);
  }

  changeReservation(row: ReservationRow): void {
    this.actors.set(row.id, this.actor);
    if (!this.insertedReservations.has(row)) this.changedReservations.add(row);
  }
}
