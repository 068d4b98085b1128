import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import type { Actor } from '../access/actor.js';
import type { Tables } from './tables.js';

/**
 * The statement that tells the database who makes the changes of a transaction. Its triggers write that into the events
 * (migrations/0017_events.sql). Without it the changes count as made at a `psql` prompt.
 * @param others who changes the objects of these ids, where it is not `actor`
 */
export function tellActors(actor: Actor, others: Iterable<readonly [id: string, Actor]> = []): RawBuilder<unknown> {
  const actors = JSON.stringify({ ...Object.fromEntries(others), '': actor });
  return sql`select set_config('port_allocator.actors', ${actors}, true)`;
}

/** Runs a transaction whose changes `actor` makes. */
export function actingAs<T>(
  db: Kysely<Tables>,
  actor: Actor,
  work: (trx: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  return db.transaction().execute(async (trx) => {
    await tellActors(actor).execute(trx);
    return work(trx);
  });
}
