import type { Kysely } from 'kysely';
import type { Config } from '../config.js';
import type { Log } from '../database/connect.js';
import type { Tables } from '../database/tables.js';
import { keepAudit } from '../registry/audits.js';
import type { Registry } from '../registry/registry.js';
import { runAudit } from './audits/audit.js';
import type { EventFeed } from './events/feed.js';
import { handleExpiring } from './expiring-environments.js';
import type { Prober } from './probes/prober.js';
import { type RetentionConfig, runRetention, sweepReservations } from './retention.js';
import { type Job, runOnSchedule } from './schedule.js';

/** Hourly, but not on the full hour, at which many machines start their scheduled jobs. */
const RETENTION_SCHEDULE = '17 * * * *';
/** Every minute. Nothing depends on it being prompt: an expired reservation holds no port, marked or not. */
const SWEEP_SCHEDULE = '* * * * *';
const EXPIRY_SCHEDULE = '*/5 * * * *';

export interface MonitorParts {
  registry: Registry;
  prober: Prober;
  feed: Pick<EventFeed, 'changed'>;
  config: RetentionConfig & Pick<Config, 'auditSchedule'>;
  log: Log;
}

/**
 * Runs the scheduled jobs until `signal` is aborted: retention, marking expired reservations, environments that expire, and
 * audits if they are scheduled.
 */
export async function runMonitor(db: Kysely<Tables>, parts: MonitorParts, signal: AbortSignal): Promise<void> {
  const { config, feed, log } = parts;
  const jobs: Job[] = [
    {
      name: 'retention',
      schedule: RETENTION_SCHEDULE,
      catchesUp: true,
      run: (passSignal) => runRetention(db, config, passSignal),
    },
    {
      name: 'reservations',
      schedule: SWEEP_SCHEDULE,
      catchesUp: true,
      run: (passSignal) => sweepReservations(db, passSignal).finally(() => feed.changed()),
    },
    {
      name: 'environments',
      schedule: EXPIRY_SCHEDULE,
      catchesUp: true,
      run: (passSignal) => handleExpiring(parts, passSignal),
    },
  ];
  if (config.auditSchedule !== null) {
    jobs.push({ name: 'audit', schedule: config.auditSchedule, run: (passSignal) => auditAll(parts, passSignal) });
  }
  await Promise.all(jobs.map((job) => runOnSchedule(db, job, log, signal)));
}

/**
 * Audits everything that is held, and the ports of this machine that nobody holds, which cost little because the kernel
 * lists its listeners. On other hosts, only ports that are held or reserved are probed. Conflicts also go to the log.
 */
async function auditAll({ registry, prober, log }: MonitorParts, signal: AbortSignal): Promise<void> {
  const session = registry.asBackground();
  const options = { signal, unallocatedOnLocalhost: true };
  const found = await runAudit(session, prober, {}, options);
  const { conflicts, ...figures } = await keepAudit(session, {}, found, 'schedule');
  for (const { detail, ...conflict } of conflicts) log.warn({ conflict }, detail);
  log.info({ ...figures, conflicts: conflicts.length }, 'Audited');
}
