import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Redact } from '../../access/redact.js';
import type { CloudflareConfig } from '../../config/cloudflare.js';
import type { Log } from '../../database/connect.js';
import type { Tables } from '../../database/tables.js';
import { AppError } from '../../errors.js';
import type { Observer } from '../../observer.js';
import type { Registry } from '../../registry/registry.js';
import {
  findTunnelState,
  findWrittenServices,
  saveTunnelFailure,
  saveTunnelSuccess,
} from '../../repositories/events/cloudflare.js';
import * as refusals from '../../repositories/events/refusals.js';
import { holdLease, type Lease } from '../../repositories/leases.js';
import type { CloudflareConflict, CloudflarePlan, CloudflareStatus } from '../../schemas/events/cloudflare.js';
import type { EventFeed } from '../events/feed.js';
import { runWithLease } from '../schedule.js';
import { CloudflareApi } from './api.js';
import { applyPlan } from './apply.js';
import { readRoutes } from './desired.js';
import { type Plan, plan, type Remembered } from './plan.js';

/** How often one pass plans again, because somebody else changes the tunnel at the same time. */
const MOST_PLANS = 3;
/** If a replica dies during a pass, no other one makes a pass until this time is over. */
const LEASE_TTL_MS = 60_000;
/** How long a call waits for the pass of another replica, or of the background, to end. */
const LEASE_ATTEMPTS = 20;
const LEASE_PAUSE_MS = 250;
const BUSY_RETRY_SECONDS = 5;
/** After a failure. It doubles with every further one. */
const LONGEST_PAUSE_SECONDS = 300;

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
    const { db, config } = this.#parts;
    const state = config && (await findTunnelState(db, config.tunnelId));
    return {
      configured: config !== null,
      tunnelId: config?.tunnelId ?? null,
      zones: [...(config?.zones ?? [])],
      lastSuccessAt: state?.succeededAt?.toISOString() ?? null,
      lastError: state?.error ?? null,
      lastErrorAt: state?.failedAt?.toISOString() ?? null,
      nextAttemptAt: state?.retryAt?.toISOString() ?? null,
      pendingChanges: state?.pendingChanges ?? null,
      conflicts: state?.conflicts ?? null,
    };
  }

  /** What a pass would change now. @throws AppError cloudflare-not-configured, cloudflare-unavailable */
  async plan(signal: AbortSignal): Promise<CloudflarePlan> {
    const { tunnelId } = this.#require().config;
    await this.#requirePauseOver();
    return this.#redacted(async () => toAnswer(tunnelId, (await this.#makePlan(signal)).plan));
  }

  /**
   * Makes one pass. No other replica makes one at the same time.
   * @returns what was changed
   * @throws AppError cloudflare-not-configured, cloudflare-unavailable
   */
  async apply(signal: AbortSignal): Promise<CloudflarePlan> {
    this.#require();
    await this.#requirePauseOver();
    for (let attempt = 0; attempt < LEASE_ATTEMPTS; attempt += 1) {
      const made = await this.passAlone(signal);
      if (made) return made;
      await sleep(LEASE_PAUSE_MS, undefined, { signal }).catch(() => {});
    }
    throw refusals.cloudflareUnavailable('Another pass is under way, and takes long.', BUSY_RETRY_SECONDS);
  }

  /** @returns null if another replica makes a pass now */
  async passAlone(signal: AbortSignal): Promise<CloudflarePlan | null> {
    const { db } = this.#parts;
    let made: CloudflarePlan | null = null;
    const lease: Lease = { name: 'cloudflare', holder: randomUUID() };
    if (!(await holdLease(db, lease, LEASE_TTL_MS))) return null;
    await runWithLease(db, lease, LEASE_TTL_MS, signal, async (passSignal) => {
      made = await this.#redacted(() => this.#pass(AbortSignal.any([signal, passSignal])));
    });
    return made;
  }

  async #pass(signal: AbortSignal): Promise<CloudflarePlan> {
    const { db, feed, observer } = this.#parts;
    const { api, config } = this.#require();
    const changes: CloudflarePlan['changes'] = [];
    const told: CloudflareConflict[] = [];
    let pending: number | null = null;
    try {
      const position = await feed.moveNew();
      for (let attempt = 1; ; attempt += 1) {
        const { plan, remembered } = await this.#makePlan(signal);
        pending = plan.changes.length;
        const { isOutdated, conflicts } = await applyPlan(api, db, config.tunnelId, plan, remembered, signal);
        told.push(...conflicts);
        if (isOutdated && attempt < MOST_PLANS) continue;
        if (isOutdated)
          throw refusals.cloudflareUnavailable('Somebody else keeps changing the tunnel.', BUSY_RETRY_SECONDS);
        const refused = new Set(conflicts.flatMap(({ kind, hostname }) => (kind === 'refused' ? [hostname] : [])));
        changes.push(...plan.changes.filter(({ kind, hostname }) => kind === 'rule' || !refused.has(hostname)));
        const all = [...plan.conflicts, ...told];
        await saveTunnelSuccess(db, config.tunnelId, position, all.length);
        observer.cloudflarePass('succeeded', 0);
        this.#log(changes, all);
        return { tunnelId: config.tunnelId, changes, conflicts: all };
      }
    } catch (error) {
      if (signal.aborted && !(error instanceof AppError)) throw error; // this process stops, and the next pass goes on
      observer.cloudflarePass('failed', pending);
      const seconds = error instanceof AppError ? error.extras.retryAfter : undefined;
      await saveTunnelFailure(db, config.tunnelId, {
        error: this.#parts.redact((error as Error).message),
        pendingChanges: pending,
        leastPauseSeconds: seconds ?? BUSY_RETRY_SECONDS,
        longestPauseSeconds: LONGEST_PAUSE_SECONDS,
      });
      throw error;
    }
  }

  async #makePlan(signal: AbortSignal): Promise<{ plan: Plan; remembered: Remembered }> {
    const { db, registry } = this.#parts;
    const { api, config } = this.#require();
    const { routes, conflicts } = await readRoutes(registry.asBackground());
    const remembered = await findWrittenServices(db, config.tunnelId);
    const made = plan(routes, await api.readAll(signal), remembered);
    return { plan: { ...made, conflicts: [...conflicts, ...made.conflicts] }, remembered };
  }

  #log(changes: CloudflarePlan['changes'], conflicts: readonly CloudflareConflict[]): void {
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

  /** Cloudflare has said for how long it wants no further call. */
  async #requirePauseOver(): Promise<void> {
    const { db } = this.#parts;
    const state = await findTunnelState(db, this.#require().config.tunnelId);
    if (!state || state.mayTry || state.retryAt === null) return;
    const seconds = Math.max(1, Math.ceil((state.retryAt.getTime() - Date.now()) / 1000));
    throw refusals.cloudflareUnavailable(`${state.error} The next attempt is not made yet.`, seconds);
  }

  /** Cloudflare's own words are a part of refusals, and could repeat the token. */
  async #redacted<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'cloudflare-unavailable') throw error;
      throw refusals.cloudflareUnavailable(this.#parts.redact(error.message), error.extras.retryAfter ?? 1);
    }
  }
}

const toAnswer = (tunnelId: string, { changes, conflicts }: Plan): CloudflarePlan => ({ tunnelId, changes, conflicts });
