import type { Kysely } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { Tables } from '../database/tables.js';
import { deleteSurplusHealthChecks, findOldestToKeep } from '../repositories/retention.js';

/** After each hundredth of the limit that a replica has stored for a project, it deletes what is beyond the limit. */
const SHARE = 1 / 100;
/** How many rows one statement deletes at most. With few rows it holds its locks only for a short time. */
const BATCH_SIZE = 1000;
const MAX_KNOWN_PROJECTS = 10_000;

/**
 * Keeps the newest health checks of each project, as many as the limit says. Nobody is refused for it, so that audits
 * go on whatever a project's key has stored: the oldest results make room. A project has at most a hundredth of the
 * limit more, for each replica.
 */
export class HealthCheckLimit {
  /** Missing for a project of which this process has stored nothing yet, or not lately. */
  readonly #storedSince = new LRUCache<string, number>({ max: MAX_KNOWN_PROJECTS });

  constructor(
    private readonly db: Kysely<Tables>,
    private readonly limit: number,
  ) {}

  /** Tells how many checks a transaction has stored for each project, once it has ended. */
  async stored(checks: ReadonlyMap<string, number>): Promise<void> {
    if (this.limit === Number.POSITIVE_INFINITY) return;
    for (const [project, count] of checks) {
      const stored = (this.#storedSince.get(project) ?? this.limit) + count;
      const isDue = stored >= this.limit * SHARE;
      this.#storedSince.set(project, isDue ? 0 : stored);
      // The checks are stored, whatever becomes of the deletion. If it fails, the next one deletes more.
      if (isDue) await this.#deleteSurplus(project).catch(() => {});
    }
  }

  async #deleteSurplus(project: string): Promise<void> {
    const oldest = await this.db.transaction().execute((trx) => findOldestToKeep(trx, project, this.limit));
    if (oldest === null) return;
    const deleteBatch = () =>
      this.db.transaction().execute((trx) => deleteSurplusHealthChecks(trx, project, oldest, BATCH_SIZE));
    while ((await deleteBatch()) === BATCH_SIZE);
  }
}
