import { randomUUID } from 'node:crypto';
import type { AllocationRow, Json, ReservationRow } from '../database/tables.js';
import type { AllocationKey, Space } from '../keys.js';
import * as refusals from '../refusals.js';
import type { IdempotencyKey } from '../repositories/idempotency-keys.js';
import { toReservation } from '../repositories/reservations.js';
import type { AllocationDetails } from '../schemas/allocation.js';
import { columnsOf, isChange } from './details.js';
import { type EnvironmentFacts, Environments } from './environments.js';
import { Hostnames } from './hostnames.js';
import { Room, type RoomFacts } from './limits/room.js';
import type { FirstRange } from './new-range.js';
import { PortSpace, type RangeBounds, type SpaceFacts } from './port-space.js';
import { Writes } from './writes.js';

/** What look.ts read of one project under its lock: enough to decide the commands it was read for, and no more. */
export interface ProjectFacts {
  project: string;
  /** The database's clock, read after the lock was granted. */
  now: Date;
  ranges: RangeBounds[];
  /** The project had no range. The transaction has made one, for commands that may give the project its first range. */
  isNew?: boolean;
  /** Every active row of each key and environment, and the row of each port and id, that the commands need. */
  allocations: AllocationRow[];
  reservations: ReservationRow[];
  /** The environments that commands put, and those with a record in which they may release ports. */
  environments: EnvironmentFacts[];
  spaces: SpaceFacts[];
  /** The excluded ports of the ranges. */
  excluded: number[];
  /** Those of the Cloudflare hostnames to be set that other projects have. */
  hostnamesOfOthers: string[];
  /** Answers that idempotency keys got in the last 24 hours. */
  answers: { caller: string; key: string; request_hash: string; response: Json }[];
  room: RoomFacts;
}

/** A key without its project, which is the same for everything here. */
type KeyInProject = Omit<AllocationKey, 'project'>;

/**
 * A project as it was read under its lock, and as the commands of the transaction change it one after another: each
 * sees what those before it did. It is plain memory without a database, so that decisions can be tested by themselves.
 */
export class ProjectState {
  readonly writes = new Writes();
  /** For imports: the last number that was appended to each name which was used already. */
  readonly nameNumbers = new Map<string, number>();
  readonly project: string;
  readonly now: Date;
  readonly room: Room;
  readonly environments: Environments;
  /** False until a command has given the project its first range. */
  isThere: boolean;
  readonly #ranges: RangeBounds[];
  readonly #excluded: ReadonlySet<number>;
  readonly #allocations = new Map<string, AllocationRow>();
  readonly #heldByKey = new Map<string, AllocationRow[]>();
  readonly #reservations: Map<string, ReservationRow>;
  readonly #spaces: Map<string, PortSpace>;
  readonly #hostnames: Hostnames;
  readonly #answers: Map<string, { requestHash: string; response: object }>;

  constructor(facts: ProjectFacts) {
    const { project, now, ranges, allocations, reservations, spaces, hostnamesOfOthers, answers, room } = facts;
    this.isThere = ranges.length > 0 && !facts.isNew;
    this.project = project;
    this.now = now;
    this.room = new Room(project, room);
    this.environments = new Environments(project, now, facts.environments, this.writes);
    this.#ranges = ranges;
    this.#excluded = new Set(facts.excluded);
    for (const row of allocations) this.#add(row);
    this.#reservations = new Map(reservations.map((row) => [row.id, row]));
    this.#spaces = new Map(
      spaces.map((space) => [nameOf(space), new PortSpace(project, ranges, now, this.#excluded, space)]),
    );
    this.#hostnames = new Hostnames(ranges, now, hostnamesOfOthers, this.writes.keptHostnames);
    this.#answers = new Map(
      answers.map(({ request_hash, response, ...key }) => [answerName(key), { requestHash: request_hash, response }]),
    );
  }

  /**
   * @param firstRange given if the command may give the project its first range, which it does by allocating
   * @throws AppError project-not-found
   */
  requireRange(firstRange?: FirstRange): void {
    if (this.isThere || (firstRange && this.#ranges.length > 0)) return;
    throw refusals.projectNotFound(this.project);
  }

  space(space: Space): PortSpace {
    const found = this.#spaces.get(nameOf(space));
    if (!found) throw new Error(`No command needed the port space ${nameOf(space)}, so it was not read`);
    return found;
  }

  get spaces(): PortSpace[] {
    return [...this.#spaces.values()];
  }

  /** The active allocations of a key, by port. */
  heldBy(key: KeyInProject): readonly AllocationRow[] {
    return this.#heldByKey.get(keyName(key)) ?? [];
  }

  /** The active allocations of an environment by port, in one port space or in all. */
  heldIn(environment: string, { host, protocol }: Partial<Space>): AllocationRow[] {
    return [...this.#allocations.values()]
      .filter((row) => row.released_at === null && row.environment === environment)
      .filter((row) => row.host === (host ?? row.host) && row.protocol === (protocol ?? row.protocol))
      .sort((a, b) => a.port - b.port);
  }

  /** The project's allocation that holds the port. */
  heldAt(port: number, space: Space): AllocationRow | undefined {
    const holder = this.space(space).holderOf(port);
    return holder?.kind === 'allocation' && holder.id !== null ? this.#allocations.get(holder.id) : undefined;
  }

  /** @throws AppError allocation-not-found */
  find(id: string): AllocationRow {
    const row = this.#allocations.get(id);
    if (!row) throw refusals.allocationNotFound(id);
    return row;
  }

  /**
   * Allocates `port`, or with null the lowest port that is free for the key.
   * @param reservation the caller's own reservation of the port
   * @throws AppError limit-reached, range-exhausted, port-taken, port-outside-range
   */
  allocate(
    { service, environment, host, protocol }: KeyInProject,
    details: AllocationDetails,
    port: number | null,
    reservation?: ReservationRow,
  ): AllocationRow {
    this.room.requirePlace(host, environment);
    const space = this.space({ host, protocol });
    const taker = { service, environment };
    const row: AllocationRow = {
      id: randomUUID(),
      port: port === null ? space.lowestFor(taker) : space.requirePort(port, taker, reservation),
      project: this.project,
      service,
      environment,
      host,
      protocol,
      status: 'allocated',
      service_type: details.serviceType ?? null,
      description: details.description ?? null,
      cloudflare_hostname: details.cloudflareHostname ?? null,
      hostname_withheld_at: this.#hostnames.set(details.cloudflareHostname ?? null),
      metadata: details.metadata ?? null,
      allocated_at: this.now,
      last_used_at: null,
      released_at: null,
      updated_at: this.now,
    };
    this.isThere = true;
    space.allocate(row);
    this.room.addPlace(host, environment);
    this.environments.addPort(environment);
    this.#add(row);
    this.writes.insertAllocation(row);
    return row;
  }

  release(row: AllocationRow): AllocationRow {
    if (row.released_at !== null) return row;
    this.writes.releaseAllocation(row, { status: 'released', released_at: this.now, updated_at: this.now });
    const held = this.#heldByKey.get(keyName(row)) ?? [];
    held.splice(held.indexOf(row), 1);
    this.space(row).release(row);
    this.environments.removePort(row.environment);
    this.#hostnames.giveUp(row);
    return row;
  }

  /**
   * Applies the details that are given and differ. Where nothing differs nothing is written. A hostname that was
   * withheld and is set again is given to the allocation if no other project has it any more.
   * @throws AppError allocation-released
   */
  update(row: AllocationRow, details: AllocationDetails): AllocationRow {
    if (row.released_at !== null) throw refusals.allocationReleased(row.id);
    const { cloudflareHostname: hostname } = details;
    const columns = {
      ...columnsOf(details),
      ...(hostname !== undefined && { hostname_withheld_at: this.#hostnames.replace(row, hostname) }),
    };
    if (!isChange(row, columns)) return row;
    this.writes.updateAllocation(row, { ...columns, updated_at: this.now });
    return row;
  }

  /** @throws AppError reservation-not-found */
  findReservation(id: string): ReservationRow {
    const row = this.#reservations.get(id);
    if (!row) throw refusals.reservationNotFound(id);
    return row;
  }

  /** @throws AppError reservation-expired, reservation-ended */
  requireActive(row: ReservationRow): ReservationRow {
    const { status } = toReservation(row, this.now);
    if (status === 'expired') throw refusals.reservationExpired(row);
    if (status !== 'active') throw refusals.reservationEnded(row);
    return row;
  }

  /**
   * @param row of a port that `space` has granted
   * @throws AppError limit-reached
   */
  insertReservation(row: ReservationRow): ReservationRow {
    this.room.requireRow('reservations');
    this.room.requirePlace(row.host, null);
    this.room.addRow('reservations');
    this.room.addPlace(row.host, null);
    this.space(row).reserve(row);
    this.#reservations.set(row.id, row);
    this.writes.insertReservation(row);
    return row;
  }

  changeReservation(row: ReservationRow, change: Partial<ReservationRow>): void {
    this.writes.changeReservation(row, change);
  }

  secondsFromNow(seconds: number): Date {
    return new Date(this.now.getTime() + seconds * 1000);
  }

  /**
   * The answer that was stored under the idempotency key (`replayed`), or else what `act` answers, which is stored
   * under the key if `act` created something. `created` of a replayed answer is that of the first time, which was true.
   * @throws AppError idempotency-key-reused when the key was used for another request; limit-reached
   */
  once<T extends object>(key: IdempotencyKey | null, act: () => { response: T; created: boolean }) {
    const answer = key && this.#answers.get(answerName(key));
    if (key && answer) {
      if (answer.requestHash !== key.requestHash) throw refusals.idempotencyKeyReused(key.key);
      return { response: answer.response as T, created: true, replayed: true };
    }
    if (key) this.room.requireRow('idempotencyKeys');
    const { response, created } = act();
    if (key && created) {
      this.room.addRow('idempotencyKeys');
      this.#answers.set(answerName(key), { requestHash: key.requestHash, response });
      this.writes.answers.push({ ...key, response });
    }
    return { response, created, replayed: false };
  }

  #add(row: AllocationRow): void {
    row.is_excluded = this.#excluded.has(row.port);
    this.#allocations.set(row.id, row);
    if (row.released_at !== null) return;
    const held = this.#heldByKey.get(keyName(row)) ?? [];
    held.push(row);
    held.sort((a, b) => a.port - b.port);
    this.#heldByKey.set(keyName(row), held);
  }
}

const nameOf = (space: Space) => `${space.protocol} ${space.host}`;
const keyName = (key: KeyInProject) => `${key.service} ${key.environment} ${nameOf(key)}`;
const answerName = ({ caller, key }: { caller: string; key: string }) => JSON.stringify([caller, key]);
