import { timingSafeEqual } from 'node:crypto';
import type { Kysely } from 'kysely';
import { hashApiKey, idOfApiKey } from '../access/api-key.js';
import { ANONYMOUS, type Caller, ENVIRONMENT_ADMIN } from '../access/caller.js';
import { keyMissing, keyWrong } from '../access/refusals.js';
import type { Tables } from '../database/tables.js';
import { type Observer, unobserved } from '../observer.js';
import { tooManyKeysWait } from '../refusals.js';
import { Batcher, QueueFullError } from '../registry/batcher.js';
import { findApiKeys, type KnownApiKey, touchApiKeys } from '../repositories/api-keys.js';

/** How long a look-up counts. A key that is revoked is refused everywhere within 5 seconds, network included. */
const KNOWN_MS = 3000;
/** How often a replica writes when its keys were last used: one statement for all of them. */
const TOUCH_MS = 10_000;
/** However many guess at keys, they hold two connections. */
const LOOK_UPS = { maxBatch: 256, maxQueue: 4096, concurrency: 2 };

interface Known {
  hash: Buffer;
  caller: Caller;
  /** By `performance.now()`. */
  until: number;
}

/** Tells who a key belongs to, where keys are in force. */
export class Keyring {
  readonly #admin: Buffer | null;
  readonly #known = new Map<string, Known>();
  /** When each key was last used since that was last written. */
  readonly #used = new Map<string, number>();
  readonly #lookUps: Batcher<string, { row: KnownApiKey | null; sentAt: number }>;
  #touching: NodeJS.Timeout | null = null;

  /** @param adminApiKey null where no keys are in force: then everyone is anonymous, and nobody is refused */
  constructor(
    private readonly db: Kysely<Tables>,
    adminApiKey: string | null,
    observer: Observer = unobserved,
  ) {
    this.#admin = adminApiKey === null ? null : hashApiKey(adminApiKey);
    this.#lookUps = new Batcher({
      ...LOOK_UPS,
      execute: async (_queue, ids) => {
        const sentAt = performance.now();
        return (await findApiKeys(db, ids)).map((row) => ({ row, sentAt }));
      },
      onBatch: (size, waited) => observer.batched('api-keys', size, waited),
    });
  }

  get inForce(): boolean {
    return this.#admin !== null;
  }

  /**
   * Who has this key. At once for a key that was looked up a moment ago, which all but a few are.
   * @param key null where none was sent
   * @throws AppError unauthorized; database-unavailable and overloaded when it cannot be told, as a rejection
   */
  identify(key: string | null): Caller | Promise<Caller> {
    if (this.#admin === null) return ANONYMOUS;
    if (key === null) throw keyMissing();
    // Hashes are of one length, so that the comparison takes the same time whatever was given.
    const hash = hashApiKey(key);
    if (timingSafeEqual(hash, this.#admin)) return ENVIRONMENT_ADMIN;
    const id = idOfApiKey(key);
    if (id === null) throw keyWrong();
    const known = this.#known.get(id);
    if (known && performance.now() < known.until) return this.#match(id, known, hash);
    return this.#lookUp(id).then((found) => this.#match(id, found, hash));
  }

  /** Writes when keys were last used. What cannot be written now is written with the next. */
  async touch(): Promise<void> {
    if (this.#touching) clearTimeout(this.#touching);
    this.#touching = null;
    if (this.#used.size === 0) return;
    const used = new Map(this.#used);
    this.#used.clear();
    const now = performance.now();
    const ages = new Map([...used].map(([id, at]) => [id, now - at]));
    await touchApiKeys(this.db, ages).catch(() => {
      for (const [id, at] of used) if (!this.#used.has(id)) this.#used.set(id, at);
    });
  }

  #match(id: string, { hash: expected, caller }: Known, hash: Buffer): Caller {
    if (!timingSafeEqual(hash, expected)) throw keyWrong();
    this.#used.set(id, performance.now());
    this.#touching ??= setTimeout(() => void this.touch(), TOUCH_MS).unref();
    return caller;
  }

  /** @throws AppError */
  async #lookUp(id: string): Promise<Known> {
    const { row, sentAt } = await this.#lookUps.submit('', id).catch((error: unknown) => {
      if (!(error instanceof QueueFullError)) throw error;
      throw tooManyKeysWait();
    });
    // What a look-up finds is as old as its sending: a revocation that was committed since is not in it.
    const lasts = Math.min(KNOWN_MS, row?.remaining_ms ?? KNOWN_MS);
    if (row === null || lasts <= 0) {
      this.#known.delete(id);
      throw keyWrong();
    }
    const { name, role, projects, hash } = row;
    const caller: Caller = Object.freeze({ kind: 'key', id, name, role, projects: Object.freeze(projects) });
    const known = { hash, caller, until: sentAt + lasts };
    this.#known.set(id, known);
    return known;
  }
}
