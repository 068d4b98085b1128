import { type Actor, SERVICE } from '../access/actor.js';
import type { AllocationRow, ReservationRow } from '../database/tables.js';
import type { IdempotencyKey } from '../repositories/idempotency-keys.js';
import type { EnvironmentRecord, ReleasedEnvironment } from './environments.js';

/** What is written together: of each row the change of one command, and who has made it. */
export class Round {
  /** Whose command came last. */
  actor: Actor = SERVICE;
  /** The ids of the allocations that are released, each with who releases it. */
  readonly released = new Map<string, Actor>();
  readonly updated = new Set<AllocationRow>();
  readonly inserted = new Set<AllocationRow>();
  readonly changedReservations = new Set<ReservationRow>();
  readonly insertedReservations = new Set<ReservationRow>();
  /** Who has made the changes of which no row says so: by the id of the row, or `environment NAME`. */
  readonly actors = new Map<string, Actor>();
  /** Environments whose record is written, or removed (null). */
  readonly environments = new Map<string, EnvironmentRecord | null>();
  /** Whole environments that were released, each with who released it. */
  readonly releasedEnvironments: (ReleasedEnvironment & { actor: Actor })[] = [];

  /** Keeps the rows as they are now. */
  close(): void {
    for (const rows of [this.updated, this.inserted]) keepCopies(rows);
    for (const rows of [this.changedReservations, this.insertedReservations]) keepCopies(rows);
  }
}

function keepCopies<Row extends object>(rows: Set<Row>): void {
  const copies = [...rows].map((row) => ({ ...row }));
  rows.clear();
  for (const copy of copies) rows.add(copy);
}

/**
 * What has to be written so that the decisions hold. write.ts says in which order.
 *
 * The triggers that write the events see each statement, and not the commands behind it. If one command sets a
 * description and another one changes it, and only the last state were written, the feed would have one event with the
 * name of one caller. So the change of a row that another command of the transaction has changed begins a new round,
 * whose statements follow those of the last one. Nearly always there is one round.
 */
export class Writes {
  readonly rounds: Round[] = [];
  /** Hostnames that were given up, and until when each is kept for the project. */
  readonly keptHostnames = new Map<string, Date>();
  readonly answers: (IdempotencyKey & { response: object })[] = [];
  #round = this.#beginRound();
  /** By row or environment of this round, the number of the command that has changed it. */
  readonly #changedBy = new Map<string, number>();
  #command = 0;

  /** What is changed from now on is changed by the next command, which `actor` has sent. */
  beginCommand(actor: Actor): void {
    this.#command += 1;
    this.#round.actor = actor;
  }

  insertAllocation(row: AllocationRow): void {
    this.#begin(row.id);
    row.allocated_by = this.#round.actor;
    this.#round.inserted.add(row);
  }

  releaseAllocation(row: AllocationRow, change: Partial<AllocationRow>): void {
    const { actor, released } = this.#begin(row.id);
    Object.assign(row, change, { released_by: actor });
    released.set(row.id, actor);
  }

  updateAllocation(row: AllocationRow, change: Partial<AllocationRow>): void {
    const { updated } = this.#beginAsActor(row.id);
    updated.add(Object.assign(row, change));
  }

  insertReservation(row: ReservationRow): void {
    const { insertedReservations } = this.#beginAsActor(row.id);
    insertedReservations.add(row);
  }

  changeReservation(row: ReservationRow, change: Partial<ReservationRow>): void {
    const { changedReservations } = this.#beginAsActor(row.id);
    changedReservations.add(Object.assign(row, change));
  }

  /** @param record null if the environment has no record any more */
  changeEnvironment(environment: string, record: EnvironmentRecord | null): void {
    const { environments } = this.#beginAsActor(`environment ${environment}`);
    environments.set(environment, record);
  }

  /** Writes when the environment was used. Its record stays as it is, so that there is no event. */
  useEnvironment(environment: string, record: EnvironmentRecord): void {
    this.#round.environments.set(environment, record);
  }

  /** After its allocations were released. */
  releaseEnvironment(released: ReleasedEnvironment): void {
    this.#round.releasedEnvironments.push({ ...released, actor: this.#round.actor });
  }

  /** The same as `#begin`, for a row that does not say itself who has changed it. */
  #beginAsActor(row: string): Round {
    const round = this.#begin(row);
    round.actors.set(row, round.actor);
    return round;
  }

  /** Call it before a row is changed. @returns the round that the change belongs to */
  #begin(row: string): Round {
    const by = this.#changedBy.get(row);
    if (by !== undefined && by !== this.#command) {
      const { actor } = this.#round;
      this.#round.close();
      this.#changedBy.clear();
      this.#round = this.#beginRound();
      this.#round.actor = actor;
    }
    this.#changedBy.set(row, this.#command);
    return this.#round;
  }

  #beginRound(): Round {
    const round = new Round();
    this.rounds.push(round);
    return round;
  }
}
