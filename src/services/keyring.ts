import { timingSafeEqual } from 'node:crypto';
import type { Kysely } from 'kysely';
import { LRUCache } from 'lru-cache';
import { hashApiKey, idOfApiKey } from '../access/api-key.js';
import { ANONYMOUS, type Caller, CONFIGURED_ADMIN } from '../access/caller.js';
import { keyExpired, keyMissing, keyWrong } from '../access/refusals.js';
import type { Tables } from '../database/tables.js';
import { type Observer, unobserved } from '../observer.js';
import { tooManyKeysWait } from '../refusals.js';
import { Batcher, QueueFullError } from '../registry/queues/batcher.js';
import { findApiKeys, type KnownApiKey, touchApiKeys } from '../repositories/api-keys.js';

/**
 * How long the result of a look-up is used. Callers are promised that every replica refuses a revoked key within 5
 * seconds. The other two seconds are for the network.
 */
const CACHE_MS = 3000;
/** Each is some hundred bytes. Beyond that, the key that was used least recently is forgotten. */
const MAX_KNOWN_KEYS = 20_000;
/** How often a replica writes when keys were last used: in one statement for all keys that it has seen meanwhile. */
const TOUCH_INTERVAL_MS = 10_000;
/** Two look-ups at a time, so that clients who guess at keys never take more than two database connections. */
const LOOK_UP_LIMITS = { maxBatch: 256, maxQueue: 4096, concurrency: 2 };

interface CachedKey {
  hash: Buffer;
  caller: Caller;
  /** By `performance.now()`. After that, the key has to be looked up again, but is still recognized. */
  validUntil: number;
}

/** Identifies callers by their API keys. */
export class Keyring {
  readonly #adminHash: Buffer | null;
  readonly #cache = new LRUCache<string, CachedKey>({ max: MAX_KNOWN_KEYS });
  /** When each key was last used, by `performance.now()`, for keys whose use is not written to the database yet. */
  readonly #lastUses = new Map<string, number>();
  readonly #lookUps: Batcher<string, { row: KnownApiKey | null; sentAt: number }>;
  #touchTimer: NodeJS.Timeout | null = null;

  /** @param adminApiKey null if no keys are in force; every caller is then anonymous, and none is refused */
  constructor(
    private readonly db: Kysely<Tables>,
    adminApiKey: string | null,
    observer: Observer = unobserved,
  ) {
    this.#adminHash = adminApiKey === null ? null : hashApiKey(adminApiKey);
    this.#lookUps = new Batcher({
      ...LOOK_UP_LIMITS,
      execute: async (_queue, ids) => {
        const sentAt = performance.now();
        return (await findApiKeys(db, ids)).map((row) => ({ row, sentAt }));
      },
      onBatch: (size, waited) => observer.batched('api-keys', size, waited),
    });
  }

  get inForce(): boolean {
    return this.#adminHash !== null;
  }

  /**
   * Identifies the caller who sent this key. The answer is a promise only if the key has to be looked up. Most keys
   * were looked up a moment ago, and are identified without waiting.
   * @param key null if the caller sent none
   * @param beforeLookUp called before the look-up of a key that has not been valid here before; what it throws is
   * thrown, and nothing is looked up. A key that has been valid here can always be looked up again: whoever guesses at
   * keys cannot lock out the keys in use behind the same address
   * @throws AppError unauthorized. The promise is rejected with unauthorized, or with overloaded or
   * database-unavailable if the key cannot be looked up.
   */
  identify(key: string | null, beforeLookUp?: () => void): Caller | Promise<Caller> {
    if (this.#adminHash === null) return ANONYMOUS;
    if (key === null) throw keyMissing();
    // Hashes all have the same length, so that the time of the comparison says nothing about the key.
    const hash = hashApiKey(key);
    if (timingSafeEqual(hash, this.#adminHash)) return CONFIGURED_ADMIN;
    const id = idOfApiKey(key);
    if (id === null) throw keyWrong();
    const cached = this.#cache.get(id);
    if (cached && performance.now() < cached.validUntil) return this.#verify(id, cached, hash);
    const wasValid = cached !== undefined && timingSafeEqual(hash, cached.hash);
    if (!wasValid) beforeLookUp?.();
    return this.#lookUp(id, hash).then((found) => this.#verify(id, found, hash));
  }

  /** Writes when keys were last used. If the write fails, the times are kept for the next one. */
  async touch(): Promise<void> {
    if (this.#touchTimer) clearTimeout(this.#touchTimer);
    this.#touchTimer = null;
    if (this.#lastUses.size === 0) return;
    const uses = new Map(this.#lastUses);
    this.#lastUses.clear();
    const now = performance.now();
    const ages = new Map([...uses].map(([id, at]) => [id, now - at]));
    await touchApiKeys(this.db, ages).catch(() => {
      for (const [id, at] of uses) if (!this.#lastUses.has(id)) this.#lastUses.set(id, at);
    });
  }

  /** @throws AppError unauthorized if the secret of the key is wrong */
  #verify(id: string, { hash: expected, caller }: CachedKey, hash: Buffer): Caller {
    if (!timingSafeEqual(hash, expected)) throw keyWrong();
    this.#lastUses.set(id, performance.now());
    this.#touchTimer ??= setTimeout(() => void this.touch(), TOUCH_INTERVAL_MS).unref();
    return caller;
  }

  /** @throws AppError */
  async #lookUp(id: string, sent: Buffer): Promise<CachedKey> {
    const { row, sentAt } = await this.#lookUps.submit('', id).catch((error: unknown) => {
      if (!(error instanceof QueueFullError)) throw error;
      throw tooManyKeysWait();
    });
    const validMs = Math.min(CACHE_MS, row?.remaining_ms ?? CACHE_MS);
    if (row === null || validMs <= 0) {
      this.#cache.delete(id);
      if (row?.expires_at && timingSafeEqual(sent, row.hash)) throw keyExpired(row.expires_at);
      throw keyWrong();
    }
    const { name, role, projects, hostnames, hosts, hash, expires_at } = row;
    const limits = {
      projects: Object.freeze(projects),
      hostnames: Object.freeze(hostnames),
      hosts: Object.freeze(hosts),
    };
    const expiresAt = expires_at?.toISOString() ?? null;
    const caller: Caller = Object.freeze({ kind: 'key', id, name, role, ...limits, expiresAt });
    // Counted from when the query was sent: it does not see a revocation that is committed after that.
    const cached = { hash, caller, validUntil: sentAt + validMs };
    this.#cache.set(id, cached);
    return cached;
  }
}
