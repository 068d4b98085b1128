import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Redact } from '../../access/redact.js';
import type { CloudflareConfig } from '../../config/cloudflare.js';
import type { Log } from '../../database/connect.js';
import type { Tables } from '../../database/tables.js';
import type { Observer } from '../../observer.js';
import type { Registry } from '../../registry/registry.js';
import {
  findTunnelState,
  findWrittenServices,
  saveTunnelFailure,
  saveTunnelFollowing,
  saveTunnelPause,
  saveTunnelSuccess,
  type TunnelState,
} from '../../repositories/events/cloudflare.js';
import * as refusals from '../../repositories/events/refusals.js';
import { holdLease, type Lease } from '../../repositories/leases.js';
import type { CloudflarePlan, CloudflareStatus } from '../../schemas/events/cloudflare.js';
import type { EventFeed } from '../events/feed.js';
import { runWithLease } from '../schedule.js';
import { CloudflareApi, CloudflareFailure } from './api.js';
import { applyPlan, type Progress } from './apply.js';
import { readRoutes } from './desired.js';
import { type Plan, plan } from './plan.js';
import type { Remembered } from './situation.js';

/** How often one pass plans again, because somebody else changes the tunnel at the same time. */
const MOST_PLANS = 3;
/** If a replica dies during a pass, no other one makes a pass until this time is over. */
const LEASE_TTL_MS = 60_000;
/** How long a call waits for the pass of another replica, or of the background, to end. */
const LEASE_ATTEMPTS = 20;
const LEASE_PAUSE_MS = 250;
/** When a refused call may be repeated, if Cloudflare has not said so. */
const RETRY_SECONDS = 5;
/** Of the pause between passes, which doubles with every failure. */
const LONGEST_PAUSE_SECONDS = 300;

const NEXT_STEP =
  'Nothing was applied to this tunnel yet, and nothing is changed unasked. Read the plan (GET /v1/cloudflare/plan, or ' +
  'pa cloudflare plan), and then apply it (POST /v1/cloudflare/apply, or pa cloudflare apply). From then on the tunnel ' +
  'follows by itself.';

export interface TunnelSyncParts {
  db: Kysely<Tables>;
  /** Null if no tunnel is configured. */
  config: CloudflareConfig | null;
  registry: Registry;
  feed: EventFeed;
  log: Log;
  observer: Observer;
  redact: Redact;
  /** Of Cloudflare's API; tests have another one. */
  url?: string | undefined;
}

/** Keeps a Cloudflare tunnel and its DNS records in step with the hostnames of the registry. */
export class TunnelSync {
  readonly #parts: TunnelSyncParts;
  readonly #api: CloudflareApi | null;

  constructor(parts: TunnelSyncParts) {
    this.#parts = parts;
    this.#api = parts.config && new CloudflareApi(parts.config, parts.url);
  }

  async status(): Promise<CloudflareStatus> {
    const { config } = this.#parts;
    const state = await this.readState();
    const isWaiting = config !== null && !state?.followingSince;
    return {
      configured: config !== null,
      tunnelId: config?.tunnelId ?? null,
      zones: [...(config?.zones ?? [])],
      followingSince: state?.followingSince?.toISOString() ?? null,
      nextStep: isWaiting ? NEXT_STEP : null,
      lastSuccessAt: state?.succeededAt?.toISOString() ?? null,
      lastError: state?.error ?? null,
      lastErrorAt: state?.failedAt?.toISOString() ?? null,
      nextAttemptAt: state?.retryAt?.toISOString() ?? null,
      pendingChanges: state?.pendingChanges ?? null,
      conflicts: state?.conflicts ?? null,
    };
  }

  /** What all replicas have done to the tunnel; null before the first call. The metrics tell it from then on. */
  async readState(): Promise<TunnelState | null> {
    const { db, config, observer } = this.#parts;
    const state = config && (await findTunnelState(db, config.tunnelId));
    observer.cloudflareState(state?.succeededAt ?? null, state?.pendingChanges ?? null);
    return state;
  }

  /** What a pass would change now. @throws AppError cloudflare-not-configured, cloudflare-unavailable */
  async plan(signal: AbortSignal): Promise<CloudflarePlan> {
    const { tunnelId } = this.#require().config;
    return this.#asRefusal(async () => {
      await this.#requirePauseOver();
      return toAnswer(tunnelId, (await this.#makePlan(signal)).plan);
    });
  }

  /**
   * Makes one pass. No other replica makes one at the same time. From the first call on, the background makes passes too.
   * @returns what was changed
   * @throws AppError cloudflare-not-configured, cloudflare-unavailable; the reason of `signal` once that is aborted
   */
  async apply(signal: AbortSignal): Promise<CloudflarePlan> {
    const { tunnelId } = this.#require().config;
    return this.#asRefusal(async () => {
      await this.#requirePauseOver();
      await saveTunnelFollowing(this.#parts.db, tunnelId);
      for (let attempt = 0; attempt < LEASE_ATTEMPTS; attempt += 1) {
        const made = await this.#passAlone(signal);
        if (made) return made;
        await sleep(LEASE_PAUSE_MS, undefined, { signal });
      }
      throw new CloudflareFailure('Another pass is under way, and takes long.');
    });
  }

  /** Makes one pass, if no other replica makes one now. @throws as `apply` does */
  async passUnlessBusy(signal: AbortSignal): Promise<void> {
    await this.#asRefusal(() => this.#passAlone(signal));
  }

  /** @returns null if another replica makes a pass now */
  async #passAlone(signal: AbortSignal): Promise<CloudflarePlan | null> {
    const { db } = this.#parts;
    let made: CloudflarePlan | null = null;
    const lease: Lease = { name: 'cloudflare', holder: randomUUID() };
    if (!(await holdLease(db, lease, LEASE_TTL_MS))) return null;
    await runWithLease(db, lease, LEASE_TTL_MS, signal, async (passSignal) => {
      made = await this.#pass(passSignal).catch((error) => {
        // Only the loss of the lease ends a pass whose caller still waits.
        if (!passSignal.aborted || signal.aborted) throw error;
        throw new CloudflareFailure('The database did not answer in time, so the pass was broken off.');
      });
    });
    return made;
  }

  async #pass(signal: AbortSignal): Promise<CloudflarePlan> {
    const { db, feed, observer } = this.#parts;
    const { tunnelId } = this.#require().config;
    const progress: Progress = { changes: [], conflicts: [], left: null };
    try {
      const position = await feed.moveNew();
      const { conflicts } = await this.#applyPlans(progress, signal);
      const all = [...conflicts, ...progress.conflicts];
      await saveTunnelSuccess(db, tunnelId, position, all.length);
      observer.cloudflarePass('succeeded');
      return { tunnelId, changes: progress.changes, conflicts: all };
    } catch (error) {
      // The caller has left, this process stops, or the lease is lost. That is no failure of Cloudflare.
      if (signal.aborted) throw error;
      observer.cloudflarePass('failed');
      await saveTunnelFailure(db, tunnelId, {
        error: this.#parts.redact((error as Error).message),
        pendingChanges: progress.left,
        longestPauseSeconds: LONGEST_PAUSE_SECONDS,
      });
      throw error;
    } finally {
      this.#log(progress);
      await this.readState().catch(() => {}); // for the metrics alone
    }
  }

  /** @returns the last plan, which was carried out as a whole */
  async #applyPlans(progress: Progress, signal: AbortSignal): Promise<Plan> {
    const { db } = this.#parts;
    const { api, config } = this.#require();
    for (let attempt = 0; attempt < MOST_PLANS; attempt += 1) {
      const { plan, remembered } = await this.#makePlan(signal);
      if (await applyPlan(api, db, config.tunnelId, plan, remembered, progress, signal)) return plan;
    }
    throw new CloudflareFailure('Somebody else keeps changing the tunnel.');
  }

  async #makePlan(signal: AbortSignal): Promise<{ plan: Plan; remembered: Remembered }> {
    const { db, registry } = this.#parts;
    const { api, config } = this.#require();
    const { routes, conflicts } = await readRoutes(registry.asBackground());
    const remembered = await findWrittenServices(db, config.tunnelId);
    const made = plan(routes, await api.readAll(signal), remembered);
    return { plan: { ...made, conflicts: [...conflicts, ...made.conflicts] }, remembered };
  }

  #log({ changes, conflicts }: Progress): void {
    const { log } = this.#parts;
    if (changes.length > 0) log.info({ changes }, 'The Cloudflare tunnel was changed');
    for (const { detail, ...conflict } of conflicts.filter(({ kind }) => kind === 'overwritten')) {
      log.warn({ conflict }, detail);
    }
  }

  #require(): { api: CloudflareApi; config: CloudflareConfig } {
    const { config } = this.#parts;
    if (this.#api === null || config === null) throw refusals.cloudflareNotConfigured();
    return { api: this.#api, config };
  }

  /** Not even a call by hand is made while Cloudflare wants none. After any other failure, it may be repaired by now. */
  async #requirePauseOver(): Promise<void> {
    const seconds = Math.ceil((await this.readState())?.secondsUntilCalls ?? 0);
    if (seconds === 0) return;
    throw refusals.cloudflareUnavailable(
      'Cloudflare has asked for a pause, and is not called before it is over.',
      seconds,
    );
  }

  /** Makes a refusal of Cloudflare's failure, without the token, and remembers for how long Cloudflare wants no call. */
  async #asRefusal<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CloudflareFailure)) throw error;
      const { message, retryAfterSeconds } = error;
      if (retryAfterSeconds !== null) {
        await saveTunnelPause(this.#parts.db, this.#require().config.tunnelId, retryAfterSeconds);
      }
      throw refusals.cloudflareUnavailable(this.#parts.redact(message), retryAfterSeconds ?? RETRY_SECONDS);
    }
  }
}

const toAnswer = (tunnelId: string, { changes, conflicts }: Plan): CloudflarePlan => ({ tunnelId, changes, conflicts });
