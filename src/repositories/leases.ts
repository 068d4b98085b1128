import { type Kysely, sql } from 'kysely';
import type { Tables } from '../database/tables.js';

export interface Lease {
  name: string;
  holder: string;
}

/**
 * Takes a lease for one occurrence of a schedule, so that one replica alone does the work. It fails while another
 * replica holds the lease, and when this occurrence or a later one has been taken already.
 */
export async function takeLease(
  db: Kysely<Tables>,
  { name, holder }: Lease,
  occurrence: Date,
  ttlMs: number,
): Promise<boolean> {
  const { rows } = await sql`
    insert into leases (name, holder, expires_at, occurrence)
    values (${name}, ${holder}, clock_timestamp() + make_interval(secs => ${ttlMs / 1000}), ${occurrence})
    on conflict (name) do update
      set holder = excluded.holder, expires_at = excluded.expires_at, occurrence = excluded.occurrence
      where leases.expires_at <= clock_timestamp() and leases.occurrence < excluded.occurrence
    returning name`.execute(db);
  return rows.length > 0;
}

/**
 * Takes a lease for work that has no schedule, as soon as no other replica holds it, or renews it.
 * @returns whether it is held
 */
export async function holdLease(db: Kysely<Tables>, { name, holder }: Lease, ttlMs: number): Promise<boolean> {
  const { rows } = await sql`
    insert into leases (name, holder, expires_at, occurrence)
    values (${name}, ${holder}, clock_timestamp() + make_interval(secs => ${ttlMs / 1000}), clock_timestamp())
    on conflict (name) do update
      set holder = excluded.holder, expires_at = excluded.expires_at, occurrence = excluded.occurrence
      where leases.expires_at <= clock_timestamp() or leases.holder = excluded.holder
    returning name`.execute(db);
  return rows.length > 0;
}

/** @returns false when the lease has run out, and another replica may hold it by now */
export async function renewLease(db: Kysely<Tables>, { name, holder }: Lease, ttlMs: number): Promise<boolean> {
  const { rows } = await sql`
    update leases set expires_at = clock_timestamp() + make_interval(secs => ${ttlMs / 1000})
    where name = ${name} and holder = ${holder} and expires_at > clock_timestamp()
    returning name`.execute(db);
  return rows.length > 0;
}

export async function giveUpLease(db: Kysely<Tables>, { name, holder }: Lease): Promise<void> {
  await sql`
    update leases set expires_at = clock_timestamp()
    where name = ${name} and holder = ${holder} and expires_at > clock_timestamp()`.execute(db);
}
