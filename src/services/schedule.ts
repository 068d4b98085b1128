import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { Cron } from 'croner';
import type { Kysely } from 'kysely';
import type { Log } from '../database/connect.js';
import type { Tables } from '../database/tables.js';
import { giveUpLease, type Lease, renewLease, takeLease } from '../repositories/leases.js';

/** If a replica dies during a pass, no other replica runs the job until this time is over. */
const LEASE_TTL_MS = 60_000;
/**
 * A longer wait is made of several timers, and the clock is read between them. One timer takes no more than 2^31 ms,
 * and does not notice that the clock was set or that the machine was suspended.
 */
const LONGEST_SLEEP_MS = 60_000;

export interface Job {
  name: string;
  /** Cron syntax, in UTC, so that the times are the same on all replicas. */
  schedule: string;
  /**
   * Whether to make the pass of the last occurrence at the start, if no process has made it. A process that opens the
   * embedded database for a single call would otherwise never be there at an occurrence.
   */
  catchesUp?: boolean;
  /** Makes one pass. */
  run(signal: AbortSignal): Promise<unknown>;
}

/**
 * Runs a job on its schedule until `signal` is aborted. For each occurrence of the schedule, only one replica makes a
 * pass. Two passes never run at the same time: an occurrence during a pass is skipped. A pass that fails is logged, and
 * the next one is made as usual.
 */
export async function runOnSchedule(
  db: Kysely<Tables>,
  job: Job,
  log: Log,
  signal: AbortSignal,
  leaseTtlMs = LEASE_TTL_MS,
): Promise<void> {
  const schedule = new Cron(job.schedule, { timezone: 'UTC' });
  let occurrence = (job.catchesUp ? schedule.previousRuns(1)[0] : undefined) ?? schedule.nextRun();
  while (occurrence !== null) {
    await sleepUntil(occurrence, signal);
    if (signal.aborted) return;
    try {
      await runOnce(db, job, occurrence, signal, leaseTtlMs);
    } catch (error) {
      if (!signal.aborted) log.warn({ job: job.name, err: error }, 'A scheduled pass failed');
    }
    occurrence = schedule.nextRun();
  }
}

/**
 * Makes one pass, if this replica gets the lease for this occurrence.
 * @returns whether the pass was made
 * @throws what the job throws; the reason of `signal` when it is aborted before the pass begins
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
  await runWithLease(db, lease, leaseTtlMs, signal, (passSignal) => job.run(passSignal));
  return true;
}

/**
 * Works under a lease that was taken, renews it meanwhile, and gives it up at the end.
 * @param work gets a signal that is aborted with `signal`, and as soon as another replica may have the lease
 * @throws what the work throws; the reason of `signal` when it is aborted before the work begins
 */
export async function runWithLease(
  db: Kysely<Tables>,
  lease: Lease,
  leaseTtlMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const pass = new AbortController();
  const onAbort = () => pass.abort(signal.reason);
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort(); // while the lease was being taken
  const renewal = renewUntilAborted(db, lease, leaseTtlMs, pass);
  try {
    pass.signal.throwIfAborted();
    await work(pass.signal);
  } finally {
    signal.removeEventListener('abort', onAbort);
    pass.abort(); // ends the renewal
    await renewal;
    await giveUpLease(db, lease).catch(() => {}); // the lease then expires by itself
  }
}

/** Renews the lease until `pass` is aborted. Aborts `pass` itself as soon as another replica may have the lease. */
async function renewUntilAborted(
  db: Kysely<Tables>,
  lease: Lease,
  ttlMs: number,
  pass: AbortController,
): Promise<void> {
  let validUntil = performance.now() + ttlMs;
  while (!pass.signal.aborted) {
    await setTimeout(ttlMs / 3, undefined, { signal: pass.signal }).catch(() => {});
    if (pass.signal.aborted) return;
    const sentAt = performance.now();
    const renewed = await renewLease(db, lease, ttlMs).catch(() => null); // the database may answer the next time
    if (renewed) validUntil = sentAt + ttlMs;
    if (renewed === false || performance.now() >= validUntil) {
      pass.abort(new Error(`The lease ${lease.name} is lost`));
    }
  }
}

async function sleepUntil(time: Date, signal: AbortSignal): Promise<void> {
  for (;;) {
    const left = time.getTime() - Date.now();
    if (left <= 0 || signal.aborted) return;
    await setTimeout(Math.min(left, LONGEST_SLEEP_MS), undefined, { signal }).catch(() => {});
  }
}
