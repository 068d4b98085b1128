import type { Kysely } from 'kysely';
import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import type { Intent } from '../access/access.js';
import { SERVICE } from '../access/actor.js';
import { ANONYMOUS, type Caller } from '../access/caller.js';
import { Allowances } from '../allocator/limits/allowances.js';
import { NO_MACHINE } from '../allocator/trials.js';
import { UNLIMITED } from '../config/project-limits.js';
import { isAvailable } from '../database/connect.js';
import type { Tables } from '../database/tables.js';
import { unobserved } from '../observer.js';
import { HealthCheckLimit } from './health-check-limit.js';
import { LARGE_READS, MAX_WAITING } from './limits.js';
import { Batcher } from './queues/batcher.js';
import { CommandQueue } from './queues/command-queue.js';
import { LookUps } from './queues/look-ups.js';
import { shareForASecond } from './queues/share.js';
import { Session, type SessionOptions, type Shared } from './session.js';

/** Each is the id of an allocation, its project and its port, so that all of them are some megabytes. */
const MAX_KNOWN_ALLOCATIONS = 20_000;

/** The registry of one process. There is one for each database, because callers share queues and queries within it. */
export class Registry {
  readonly #shared: Shared;
  /** Whether the database answers, as it was found out within the last second. It is told within a second. */
  readonly isAvailable: () => Promise<boolean>;

  /**
   * @param options with `maxBatch` 1 every call has a transaction or query of its own, for comparison; `onChange` is
   * called when something was changed
   */
  constructor(
    db: Kysely<Tables>,
    observer = unobserved,
    { maxBatch = Number.POSITIVE_INFINITY, limits = UNLIMITED, machine = NO_MACHINE, onChange = () => {} } = {},
  ) {
    const allowances = new Allowances(limits);
    this.#shared = {
      db,
      observer,
      onChange,
      allowances,
      healthCheckLimit: new HealthCheckLimit(db, limits.healthChecks),
      commands: new CommandQueue(db, { observer, allowances, machine }, maxBatch),
      changes: new Batcher({
        execute: (_queue, batch) => Promise.all(batch.map((work) => work())),
        onBatch: (size, waited) => observer.batched('exclusive', size, waited),
        maxBatch: 1,
        maxQueue: MAX_WAITING,
      }),
      lookUps: new LookUps(db, observer, maxBatch),
      largeReads: pLimit(LARGE_READS),
      places: new LRUCache({ max: MAX_KNOWN_ALLOCATIONS }),
    };
    this.isAvailable = shareForASecond(() => isAvailable(db));
  }

  /**
   * The registry as one caller may use it.
   * @throws AppError unauthorized, forbidden
   */
  as(caller: Caller, intent: Intent, options: SessionOptions = {}): Session {
    return new Session(this.#shared, caller, intent, options);
  }

  /** For background work of this process, which may see and change everything. */
  asBackground(): Session {
    return this.as(ANONYMOUS, 'change', { actor: () => SERVICE });
  }
}
