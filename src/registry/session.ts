import type { Kysely, Transaction } from 'kysely';
import type { LRUCache } from 'lru-cache';
import type { LimitFunction } from 'p-limit';
import { Access, type Intent, type Subject } from '../access/access.js';
import { type Actor, actorOf } from '../access/actor.js';
import type { Caller } from '../access/caller.js';
import type { ProjectCommand, ResultOf } from '../allocator/decide.js';
import type { Allowances } from '../allocator/limits/allowances.js';
import { namesOf } from '../allocator/network-names.js';
import type { FirstRange } from '../allocator/new-range.js';
import { actingAs } from '../database/actors.js';
import type { AllocationRow, Tables } from '../database/tables.js';
import { AppError } from '../errors.js';
import { findClosest } from '../input/closest.js';
import type { AllocationKey, Space } from '../keys.js';
import type { Observer } from '../observer.js';
import * as refusals from '../refusals.js';
import { listProjectNames } from '../repositories/projects.js';
import type { HealthCheckLimit } from './health-check-limit.js';
import { refuseUnexecuted } from './limits.js';
import type { Batcher, IsAbandoned } from './queues/batcher.js';
import type { CommandQueue } from './queues/command-queue.js';
import type { LookUps } from './queues/look-ups.js';

/** What all sessions share. registry.ts builds it. */
export interface Shared {
  readonly db: Kysely<Tables>;
  readonly observer: Observer;
  /** Called when something was changed. */
  readonly onChange: () => void;
  readonly allowances: Allowances;
  readonly healthCheckLimit: HealthCheckLimit;
  readonly commands: CommandQueue;
  /** Changes that no command makes, one at a time in each queue. */
  readonly changes: Batcher<() => Promise<unknown>, unknown>;
  readonly lookUps: LookUps;
  /** Takes its turn among the queries with large answers. */
  readonly largeReads: LimitFunction;
  /** Where each allocation is that was made here lately, by its id. That never changes. */
  readonly places: LRUCache<string, AllocationPlace>;
}

export interface SessionOptions {
  /** A change that waits in a queue and is abandoned before its turn comes is not made. */
  isAbandoned?: IsAbandoned | undefined;
  /** Who makes the changes; without it, the caller, of whose program nothing is known. */
  actor?: (() => Actor) | undefined;
}

export interface ChangeOptions {
  /** Changes of one queue are made one at a time. */
  queue?: string;
  /** Also makes a change that waited in a queue and whose caller has left meanwhile. */
  evenIfAbandoned?: boolean;
  /** Makes the transaction, and again where it failed for a reason that may be gone. */
  repeat?: <R>(once: () => Promise<R>) => Promise<R>;
}

/** The project and the port of an allocation. */
export interface AllocationPlace extends Space {
  project: string;
  port: number;
}

/** How many names of similar projects a refusal has at most. */
const MAX_SUGGESTIONS = 3;

type Query<Args extends unknown[], Result> = (db: Kysely<Tables>, access: Access, ...args: Args) => Promise<Result>;

/**
 * The registry as one caller uses it for one call: it knows who asks, what they may see and change, and whether they
 * still wait for the answer. Every request of REST and every call of MCP reaches the registry through a session. For a
 * project that the caller may not see, an id is answered with 404, and the project's name with 403.
 */
export class Session {
  readonly access: Access;
  readonly observer: Observer;
  readonly allowances: Allowances;
  readonly healthCheckLimit: HealthCheckLimit;
  readonly #shared: Shared;
  readonly #isAbandoned: IsAbandoned | undefined;
  readonly #actor: (() => Actor) | undefined;

  /** @throws AppError unauthorized, forbidden */
  constructor(shared: Shared, caller: Caller, intent: Intent, { isAbandoned, actor }: SessionOptions = {}) {
    this.access = new Access(caller, intent);
    this.#actor = actor;
    this.observer = shared.observer;
    this.allowances = shared.allowances;
    this.healthCheckLimit = shared.healthCheckLimit;
    this.#shared = shared;
    this.#isAbandoned = isAbandoned;
  }

  /** Who makes the changes of this session. Every transaction that changes something tells it to the database. */
  get actor(): Actor {
    return this.#actor?.() ?? actorOf(this.access.caller, null);
  }

  /**
   * Executes a command under its project's lock.
   * @throws AppError the command's own refusal; forbidden; project-busy when too many wait
   */
  async execute<C extends ProjectCommand>(project: string, command: C): Promise<ResultOf<C>> {
    this.access.requireChange({ project });
    this.access.requireNames(namesOf(command));
    const { commands, places } = this.#shared;
    const result = await commands
      .execute(project, { ...command, by: this.actor }, this.#isAbandoned)
      .catch((error) => this.#refuse(error));
    this.#shared.onChange();
    if ('allocation' in result && result.allocation) places.set(result.allocation.id, placeOf(result.allocation));
    return result;
  }

  /**
   * The same for a command that may give its project the first range. A caller who may create no range is refused only
   * if the project has none.
   * @throws AppError the command's own refusal; forbidden; project-busy when too many wait
   */
  async executeCreating<C extends ProjectCommand & { firstRange?: FirstRange | undefined }>(
    project: string,
    command: C,
    firstRange: FirstRange | undefined,
  ): Promise<ResultOf<C>> {
    if (firstRange === undefined) return this.execute(project, command);
    if (this.access.findCreationRefusal(project) === null) return this.execute(project, { ...command, firstRange });
    return this.execute(project, command).catch((error) => {
      if (!(error instanceof AppError) || error.code !== 'project-not-found') throw error;
      throw this.access.findCreationRefusal(project, error.extras.suggestions);
    });
  }

  /**
   * Makes a change that is no command of one project, in a transaction that knows who makes it. A change that takes a
   * project's lock goes through a queue, so that however many wait for the lock, they hold one database connection of
   * this process.
   * @throws AppError what `work` throws; forbidden; project-busy when too many wait
   */
  async change<T>(
    subject: Subject,
    work: (trx: Transaction<Tables>) => Promise<T>,
    { queue, evenIfAbandoned = false, repeat = (once) => once() }: ChangeOptions = {},
  ): Promise<T> {
    this.access.requireChange(subject);
    const { db, changes, onChange } = this.#shared;
    const { actor } = this;
    const make = () => repeat(() => actingAs(db, actor, work));
    const isAbandoned = evenIfAbandoned ? undefined : this.#isAbandoned;
    const changed =
      queue === undefined ? make() : (changes.submit(queue, make, isAbandoned).catch(refuseUnexecuted) as Promise<T>);
    return changed.finally(onChange);
  }

  /** Runs a query that leaves out what the caller may not see. */
  read<Args extends unknown[], Result>(query: Query<Args, Result>, ...args: Args): Promise<Result> {
    return query(this.#shared.db, this.access, ...args).catch((error) => this.#refuse(error));
  }

  /**
   * The same for a query whose answer may be as large as a page of 1 MiB: few of these run at a time.
   * @throws AppError overloaded when the caller has left before its turn
   */
  readLarge<Args extends unknown[], Result>(query: Query<Args, Result>, ...args: Args): Promise<Result> {
    return this.#shared.largeReads(() => {
      if (this.#isAbandoned?.()) throw refusals.callerLeft();
      return this.read(query, ...args);
    });
  }

  /** Runs a query whose result every caller may see, or whose caller has checked the access. */
  readUnfiltered<Args extends unknown[], Result>(
    query: (db: Kysely<Tables>, ...args: Args) => Promise<Result>,
    ...args: Args
  ): Promise<Result> {
    return query(this.#shared.db, ...args);
  }

  /**
   * The allocation of the lowest port that the key holds.
   * @throws AppError forbidden
   */
  async findHeld(key: AllocationKey): Promise<AllocationRow | null> {
    this.access.requireProject(key.project);
    return this.#shared.lookUps.findHeld(key);
  }

  /** The allocation of an id, active or released. */
  async findById(id: string): Promise<AllocationRow | null> {
    const row = await this.#shared.lookUps.findById(id);
    return row && this.access.sees(row.project) ? row : null;
  }

  /**
   * The port of an allocation, and its project, whose lock a change of the allocation needs. Whether the allocation
   * still exists is seen under the lock.
   */
  async findPlaceOf(id: string): Promise<AllocationPlace | null> {
    const place = this.#shared.places.get(id) ?? (await this.findById(id));
    return place && this.access.sees(place.project) ? placeOf(place) : null;
  }

  /**
   * Fits a refusal to what the caller may see. If another project holds the port, the caller is told that project's name
   * and nothing else. If there is no such project, the caller is told the names of similar ones.
   */
  async #refuse(error: unknown): Promise<never> {
    if (!(error instanceof AppError)) throw error;
    const { code, extras } = error;
    if (extras.holder && !this.access.sees(extras.holder.project)) throw refusals.keptForOther(extras.holder);
    if (code === 'project-not-found' && extras.project !== undefined) {
      // Asked for here, and not where the refusal is made, which may be in a transaction that holds locks.
      const names = await listProjectNames(this.#shared.db, this.access).catch(() => []);
      throw refusals.projectNotFound(extras.project, findClosest(extras.project, names, MAX_SUGGESTIONS));
    }
    throw error;
  }
}

const placeOf = ({ project, host, protocol, port }: AllocationPlace): AllocationPlace => ({
  project,
  host,
  protocol,
  port,
});
