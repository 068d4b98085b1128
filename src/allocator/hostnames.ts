/**
 * Which project has a Cloudflare hostname
 * =======================================
 *
 * A hostname belongs to the project that sets it first, for as long as one of the project's allocations has it, and then
 * for the cooldown of the range in which the port lies. So a service that is away for a moment finds its hostname again,
 * whoever else wanted it meanwhile. Within its project the oldest allocation of a hostname is the one that is routed,
 * and the next oldest follows it.
 *
 * An allocation that sets a hostname of another project is stored with it, and the hostname is *withheld*: nothing is
 * routed to the allocation, also not when the other project has gone. Otherwise somebody could wait for the moment in
 * which www.corp.example is released, and would get its traffic without a further step. The hostname has to be set
 * again, and is withheld no more if it is free by then.
 *
 * Two projects may set one free hostname at the same moment, each under the lock of its own ranges. Therefore a
 * transaction whose commands set hostnames also takes an advisory lock for them, before it looks. The look is a later
 * statement, and sees what the transaction that held the lock before has written. Transactions that set no hostname
 * take none of these locks. To give a hostname up needs none: a look sees either the active allocation or, when that
 * transaction has been committed, the kept hostname.
 */
import { type CompiledQuery, type RawBuilder, sql, type Transaction } from 'kysely';
import { compilePrepared, sendTogether } from '../database/statements.js';
import type { AllocationRow, Tables } from '../database/tables.js';
import type { AllocationDetails } from '../schemas/allocation.js';
import type { RangeBounds } from './port-space.js';

/**
 * How many advisory locks there are for all hostnames. PostgreSQL has room for some thousands of locks, which all
 * transactions share, and one transaction may set thousands of hostnames.
 */
const LOCKS = 64;
/** Each time that hostnames are kept, up to this many are removed whose time has passed, so that no sweep is needed. */
const REMOVED_AT_ONCE = 10;
/**
 * How many hostnames are kept for one project at a time; further ones are free as soon as they are given up. Otherwise
 * one allocation, given one hostname after another, could keep all of them from everybody.
 */
const MAX_KEPT = 100;

/** The hostnames of one project, as its commands set them and give them up one after another. */
export class Hostnames {
  readonly #ofOthers: ReadonlySet<string>;

  /**
   * @param ofOthers those of the hostnames to be set that other projects have
   * @param kept gets the hostnames that are given up, with the time until which each is kept for the project
   */
  constructor(
    private readonly ranges: readonly RangeBounds[],
    private readonly now: Date,
    ofOthers: readonly string[],
    private readonly kept: Map<string, Date>,
  ) {
    this.#ofOthers = new Set(ofOthers);
  }

  /** Sets the hostname of a new allocation. @returns when it was withheld: now, or null if no other project has it */
  set(hostname: string | null): Date | null {
    return hostname !== null && this.#ofOthers.has(hostname) ? this.now : null;
  }

  /** Sets the hostname of an allocation that may have one. @returns when it was withheld, or null */
  replace(row: AllocationRow, hostname: string | null): Date | null {
    if (hostname !== row.cloudflare_hostname) {
      this.giveUp(row);
      return this.set(hostname);
    }
    if (row.hostname_withheld_at === null) return null;
    return this.set(hostname) && row.hostname_withheld_at;
  }

  /** Of an allocation that is released or gets another hostname. A withheld one is not kept: nothing was routed by it. */
  giveUp({ port, cloudflare_hostname, hostname_withheld_at }: AllocationRow): void {
    if (cloudflare_hostname === null || hostname_withheld_at !== null) return;
    const range = this.ranges.find(({ start_port, end_port }) => start_port <= port && port <= end_port);
    const seconds = range?.reuse_cooldown_seconds ?? 0;
    if (seconds > 0) this.kept.set(cloudflare_hostname, new Date(this.now.getTime() + seconds * 1000));
  }
}

/** The hostname that is set, if one is. */
export function hostnamesOf({ cloudflareHostname }: AllocationDetails): string[] {
  return cloudflareHostname ? [cloudflareHostname] : [];
}

/**
 * Locks ranges, then hostnames if there are any, and reads, in one round trip.
 * @returns the ranges, and what was read
 */
export async function lockAndRead<Row>(
  trx: Transaction<Tables>,
  lock: CompiledQuery<RangeBounds>,
  hostnames: readonly string[],
  reading: CompiledQuery<Row>,
): Promise<[RangeBounds[], Row[]]> {
  if (hostnames.length === 0) return sendTogether<[RangeBounds, Row]>(trx, [lock, reading]);
  const locks = compilePrepared(hostnameLock(hostnames), trx);
  const [ranges, , rows] = await sendTogether<[RangeBounds, unknown, Row]>(trx, [lock, locks, reading]);
  return [ranges, rows];
}

/** Locks hostnames until the transaction ends. All transactions take the locks in one order, so that none deadlock. */
function hostnameLock(hostnames: readonly string[]): RawBuilder<unknown> {
  return sql`
    select pg_advisory_xact_lock(
      hashtextextended('hostnames ' || number, current_schema()::regnamespace::oid::bigint))
    from (
      select distinct abs(hashtext(hostname) % ${sql.lit(LOCKS)}) as number
      from jsonb_array_elements_text(${JSON.stringify(hostnames)}::jsonb) h (hostname)
      order by number offset 0) numbers`;
}

/**
 * Those of the hostnames that another project has, or that are kept for one. Scalar subqueries are executed by an index
 * for each hostname. For `exists` PostgreSQL may read every allocation that has a hostname instead.
 */
export function hostnamesOfOthers(project: string, hostnames: readonly string[]): RawBuilder<{ hostname: string }> {
  return sql`
    select h.hostname
    from (select distinct * from jsonb_array_elements_text(${JSON.stringify(hostnames)}::jsonb)) h (hostname)
    where (
        select a.id from port_allocations a
        where a.released_at is null and a.cloudflare_hostname = h.hostname and a.hostname_withheld_at is null
          and a.project <> ${project} limit 1
      ) is not null
      or (
        select k.hostname from kept_hostnames k
        where k.hostname = h.hostname and k.project <> ${project} and k.kept_until > clock_timestamp()
      ) is not null`;
}

export function keepHostnames(project: string, kept: ReadonlyMap<string, Date>): RawBuilder<unknown> {
  const rows = [...kept].map(([hostname, kept_until]) => ({ hostname, project, kept_until }));
  return sql`
    insert into kept_hostnames (hostname, project, kept_until)
    select hostname, project, kept_until
    from jsonb_populate_recordset(null::kept_hostnames, ${JSON.stringify(rows)}::jsonb)
    order by hostname
    limit greatest(0, ${sql.lit(MAX_KEPT)} - (select count(*) from kept_hostnames k where k.project = ${project}))
    on conflict (hostname) do update set project = excluded.project, kept_until = excluded.kept_until`;
}

export function removeOldKeptHostnames(now: Date): RawBuilder<unknown> {
  return sql`
    delete from kept_hostnames where hostname in (
      select hostname from kept_hostnames
      where kept_until <= ${now} order by kept_until limit ${sql.lit(REMOVED_AT_ONCE)} for update skip locked)`;
}
