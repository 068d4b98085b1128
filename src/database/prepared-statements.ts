import type { CompiledQuery, Kysely, QueryResult, RawBuilder } from 'kysely';
import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import { closeStatement } from './pg-internals.js';
import type { Tables } from './tables.js';

/** Kysely passes this object to the connection unchanged, and with it the mark. */
interface PreparedQuery<T> extends CompiledQuery<T> {
  readonly isPrepared: true;
}

/**
 * Compiles a statement that PostgreSQL parses and plans once on each connection, and keeps. Use it for statements that
 * run all the time, and not for lists with many optional filters: each combination of filters is a statement of its
 * own, and every statement that is kept costs the server memory.
 *
 * Pass lists of ids and keys as one JSON parameter. For an array parameter PostgreSQL expects ten elements in the plan
 * that it would keep, finds that a plan for the actual list of one or two looks cheaper, and so plans anew every time.
 */
export function compilePrepared<T>(statement: RawBuilder<T>, db: Kysely<Tables>): PreparedQuery<T> {
  return { ...statement.compile(db), isPrepared: true };
}

export function executePrepared<T>(db: Kysely<Tables>, statement: RawBuilder<T>): Promise<QueryResult<T>> {
  return db.executeQuery(compilePrepared(statement, db));
}

export function isPrepared(query: CompiledQuery): boolean {
  return 'isPrepared' in query;
}

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
