import type { Kysely } from 'kysely';
import type { Config } from '../config.js';
import type { Log } from '../database/connect.js';
import type { Tables } from '../database/tables.js';
import { deleteOldHealthChecks, deleteOldHistory } from '../repositories/retention.js';
import { openStore } from '../repositories/store.js';
import { runAudit } from './audit.js';
import type { Prober } from './prober.js';
import { type Job, runOnSchedule } from './schedule.js';
import { sweepReservations } from './sweep.js';

/** Hourly, away from the full hour, when everybody's jobs run. */
const RETENTION_SCHEDULE = '17 * * * *';
/** Every minute; nothing waits for it, since an expired reservation holds nothing. */
const SWEEP_SCHEDULE = '* * * * *';
/** Rows a statement: short enough that nobody waits for it. */
const RETENTION_BATCH = 1000;

type MonitorConfig = Pick<Config, 'auditSchedule' | 'healthCheckRetentionDays' | 'historyRetentionDays'>;

/** Does in the background what nobody asks for, until `signal`: audits on their schedule, and retention. */
export async function runMonitor(
  db: Kysely<Tables>,
  prober: Prober,
  config: MonitorConfig,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const jobs: Job[] = [
    { name: 'retention', schedule: RETENTION_SCHEDULE, run: (ending) => runRetention(db, config, ending) },
    { name: 'reservations', schedule: SWEEP_SCHEDULE, run: (ending) => sweepReservations(db, ending) },
  ];
  if (config.auditSchedule !== null) {
    const run = (ending: AbortSignal) => auditAll(db, prober, log, ending);
    jobs.push({ name: 'audit', schedule: config.auditSchedule, run });
  }
  await Promise.all(jobs.map((job) => runOnSchedule(db, job, log, signal)));
}

/**
 * One pass over everything that is held, and over what nobody holds on this machine, where the kernel's list makes
 * that nearly free; other hosts are not scanned unasked. Its results are in the health checks, its findings in the log.
 */
async function auditAll(db: Kysely<Tables>, prober: Prober, log: Log, signal: AbortSignal): Promise<void> {
  const { conflicts, ...figures } = await runAudit(openStore(db), prober, {}, { signal, unallocatedHere: true });
  for (const { detail, ...conflict } of conflicts) log.warn({ conflict }, detail);
  log.info({ ...figures, conflicts: conflicts.length }, 'Audited');
}

/** One pass: deletes in small batches what is older than its retention. */
export async function runRetention(
  db: Kysely<Tables>,
  { healthCheckRetentionDays, historyRetentionDays }: Omit<MonitorConfig, 'auditSchedule'>,
  signal?: AbortSignal,
): Promise<{ healthChecks: number; allocations: number }> {
  const healthChecks = await deleteAll(signal, () =>
    deleteOldHealthChecks(db, healthCheckRetentionDays, RETENTION_BATCH),
  );
  const allocations =
    historyRetentionDays === null
      ? 0
      : await deleteAll(signal, () => deleteOldHistory(db, historyRetentionDays, RETENTION_BATCH));
  return { healthChecks, allocations };
}

async function deleteAll(signal: AbortSignal | undefined, deleteBatch: () => Promise<number>): Promise<number> {
  let total = 0;
  for (;;) {
    signal?.throwIfAborted();
    const deleted = await deleteBatch();
    total += deleted;
    if (deleted < RETENTION_BATCH) return total;
  }
}
