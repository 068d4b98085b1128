import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import { closeStatement } from './pg-internals.js';

/** For each connection. Batches of random commands made 74 different statements. */
export const MAX_PREPARED = 100;

/**
 * The names of the statements that are prepared on one connection. Beyond `MAX_PREPARED` the one that was not used for
 * the longest time is closed, so that statements in use all the time stay prepared however many others come by.
 *
 * PostgreSQL executes what a connection sends in order. So it closes a statement after its last execution, even if that
 * has not been answered yet. A name is never used again: whatever becomes of the statement, the name cannot stand for
 * another.
 */
export class PreparedStatements {
  readonly #names: LRUCache<string, string>;
  #count = 0;

  constructor(client: pg.ClientBase) {
    this.#names = new LRUCache({ max: MAX_PREPARED, dispose: (name) => closeStatement(client, name) });
  }

  /** Call this right before the statement is sent under the name: pg prepares a name when it first sends it. */
  nameOf(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const name = `p${this.#count++}`;
    this.#names.set(text, name);
    return name;
  }
}
