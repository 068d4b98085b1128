import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Kysely, type Migration, Migrator, sql } from 'kysely';
import { packageRoot } from '../package-root.js';
import type { Log } from './connect.js';

export const migrationsFolder = join(packageRoot, 'migrations');

/**
 * Applies the migrations that are missing, all in one transaction. Replicas that start together wait for one another,
 * by the lock of `MigrationLockAdapter`. A schema that is newer than this code stays as it is.
 * @param db from `withoutLimits`, so that a long migration or a long wait for the lock is not cut short
 */
export async function migrate<Tables>(db: Kysely<Tables>, log: Log): Promise<void> {
  if (await isMigrated(db)) return;
  const migrator = new Migrator({ db, provider: { getMigrations: readMigrations }, disableTransactions: true });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error) {
    // While this one waited for the lock, a newer replica may have applied migrations that Kysely does not know here.
    if (await isMigrated(db)) return;
    throw error;
  }
  for (const { migrationName } of results) log.info({ migration: migrationName }, 'Migration applied');
}

/** Whether every migration that this code knows has been applied. There may be newer ones. */
export async function isMigrated<Tables>(db: Kysely<Tables>): Promise<boolean> {
  const { rows: tables } = await sql<{ known: boolean }>`
    select to_regclass('kysely_migration') is not null as known`.execute(db);
  if (!tables[0]?.known) return false;
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db);
  const applied = new Set(rows.map((row) => row.name));
  return Object.keys(await readMigrations()).every((name) => applied.has(name));
}

/** The `.sql` files of `migrations/`, in the order of their names. Each runs in the transaction that holds the lock. */
async function readMigrations(): Promise<Record<string, Migration>> {
  const files = (await readdir(migrationsFolder)).filter((file) => file.endsWith('.sql')).sort();
  return Object.fromEntries(
    await Promise.all(
      files.map(async (file) => {
        const text = await readFile(join(migrationsFolder, file), 'utf8');
        const up = (db: Kysely<unknown>) =>
          sql
            .raw(text)
            .execute(db)
            .then(() => {});
        return [file.replace(/\.sql$/, ''), { up }] as const;
      }),
    ),
  );
}
