import { setTimeout } from 'node:timers/promises';
import type { Config } from '../config.js';
import type { Database, Log } from './connect.js';
import { isMigrated, migrate } from './migrate.js';
import { requireServable } from './requirements.js';
import { seedIfNew } from './seed.js';
import { explain, toStartError } from './start-errors.js';

const RETRY_MS = 1000;

/**
 * Migrates and seeds the database as the configuration says. Without MIGRATE_ON_START it waits until somebody else has
 * migrated. While the database does not answer it tries again, so that the service may be started before the database.
 * @param signal ends the waiting
 * @throws StartError, or any other error that would not go away by waiting
 */
export async function prepareDatabase(
  database: Pick<Database, 'kind' | 'schema' | 'db' | 'withoutLimits'>,
  config: Pick<Config, 'migrateOnStart' | 'seedOnStart' | 'reuseCooldownSeconds'>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { db } = database;
  for (;;) {
    signal.throwIfAborted();
    let reason = 'the migrations are not applied yet';
    try {
      await requireServable(database);
      const migrated = await isMigrated(db);
      if (!migrated && config.migrateOnStart) await migrate(database, log);
      if (migrated || config.migrateOnStart) {
        signal.throwIfAborted();
        const seeded = config.seedOnStart ? await seedIfNew(db, config.reuseCooldownSeconds) : 0;
        if (seeded > 0) log.info({ ranges: seeded }, 'Seeded a new registry');
        return;
      }
    } catch (error) {
      const explanation = explain(error);
      if (!explanation?.mayPass) throw toStartError(error);
      reason = explanation.sentence;
    }
    log.warn({ reason }, 'Waiting for the database');
    await setTimeout(RETRY_MS, undefined, { signal });
  }
}
