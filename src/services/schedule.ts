import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { Cron } from 'croner';
import type { Kysely } from 'kysely';
import type { Log } from '../database/connect.js';
import type { Tables } from '../database/tables.js';
import { giveUpLease, type Lease, renewLease, takeLease } from '../repositories/leases.js';

/** How long another replica waits for one that died in the middle of a pass. */
const LEASE_TTL_MS = 60_000;
/** A timer takes no more than 2^31 ms, and knows nothing of clocks that are set or machines that slept. */
const LONGEST_SLEEP_MS = 60_000;

export interface Job {
  name: string;
  /** Cron syntax, in UTC, so that all replicas mean the same moment. */
  schedule: string;
  /** One pass. */
  run(signal: AbortSignal): Promise<unknown>;
}

/**
 * Runs a job's passes until `signal`, each occurrence of its schedule on one replica alone, and never two at
 * once: what falls into a pass that still runs is left out. A pass that fails is logged, and the next one
 * comes as usual.
 */
export async function runOnSchedule(
  db: Kysely<Tables>,
  job: Job,
  log: Log,
  signal: AbortSignal,
  leaseTtlMs = LEASE_TTL_MS,
): Promise<void> {
  const schedule = new Cron(job.schedule, { timezone: 'UTC' });
  while (!signal.aborted) {
    const occurrence = schedule.nextRun();
    if (occurrence === null) return;
    await sleepUntil(occurrence, signal);
    if (signal.aborted) return;
    try {
      await runOnce(db, job, occurrence, signal, leaseTtlMs);
    } catch (error) {
      if (!signal.aborted) log.warn({ job: job.name, err: error }, 'A scheduled pass failed');
    }
  }
}

/**
 * One pass, if this replica gets the lease for this occurrence.
 * @returns whether it ran
 */
export async function runOnce(
  db: Kysely<Tables>,
  job: Pick<Job, 'name' | 'run'>,
  occurrence: Date,
  signal: AbortSignal,
  leaseTtlMs = LEASE_TTL_MS,
): Promise<boolean> {
  const lease: Lease = { name: job.name, holder: randomUUID() };
  if (!(await takeLease(db, lease, occurrence, leaseTtlMs))) return false;
  const ending = new AbortController();
  const end = () => ending.abort(signal.reason);
  signal.addEventListener('abort', end);
  const renewal = keepLease(db, lease, leaseTtlMs, ending);
  try {
    await job.run(ending.signal);
    return true;
  } finally {
    signal.removeEventListener('abort', end);
    ending.abort();
    await renewal;
    await giveUpLease(db, lease).catch(() => {}); // it runs out by itself
  }
}

/** Renews the lease until `ending` is aborted; aborts it when the lease may be another's by now. */
async function keepLease(db: Kysely<Tables>, lease: Lease, ttlMs: number, ending: AbortController): Promise<void> {
  let validUntil = performance.now() + ttlMs;
  while (!ending.signal.aborted) {
    await setTimeout(ttlMs / 3, undefined, { signal: ending.signal }).catch(() => {});
    if (ending.signal.aborted) return;
    const asked = performance.now();
    const renewed = await renewLease(db, lease, ttlMs).catch(() => null); // the database is away: it may come back
    if (renewed) validUntil = asked + ttlMs;
    if (renewed === false || performance.now() >= validUntil)
      ending.abort(new Error(`The lease ${lease.name} is lost`));
  }
}

async function sleepUntil(time: Date, signal: AbortSignal): Promise<void> {
  for (;;) {
    const left = time.getTime() - Date.now();
    if (left <= 0 || signal.aborted) return;
    await setTimeout(Math.min(left, LONGEST_SLEEP_MS), undefined, { signal }).catch(() => {});
  }
}
