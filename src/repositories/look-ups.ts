import { type Kysely, sql } from 'kysely';
import { executePrepared } from '../database/prepared-statements.js';
import type { AllocationRow, Tables } from '../database/tables.js';
import type { AllocationKey } from './commands.js';

/**
 * Named one by one: a statement that is kept prepared fails for good on its connection when `*` means another
 * column more, as after a newer replica's migration.
 */
const columns = sql.join(
  (
    [
      'id',
      'port',
      'project',
      'service',
      'environment',
      'host',
      'protocol',
      'status',
      'service_type',
      'description',
      'cloudflare_hostname',
      'metadata',
      'allocated_at',
      'last_used_at',
      'released_at',
      'updated_at',
    ] satisfies (keyof AllocationRow)[]
  ).map((column) => sql.ref(`a.${column}`)),
);

/**
 * The row of the lowest port that each key holds, in the order given; null for a key that holds none.
 * One round trip for any number of keys, without lock or transaction. `offset 0` leaves the search no
 * index but that of keys: without statistics the one of ports looks as good, and by it all that a host holds is read.
 */
export async function findLowestRows(
  db: Kysely<Tables>,
  keys: readonly AllocationKey[],
): Promise<(AllocationRow | null)[]> {
  const statement = sql<AllocationRow & { place: string }>`
    select k.place, ${columns}
    from rows from (
      jsonb_to_recordset(${JSON.stringify(keys)}::jsonb)
        as (project text, service text, environment text, host text, protocol text)
    ) with ordinality as k (project, service, environment, host, protocol, place)
    cross join lateral (
      select * from (
        select * from port_allocations a
        where a.released_at is null and a.project = k.project and a.service = k.service
          and a.environment = k.environment offset 0
      ) a
      where a.host = k.host and a.protocol = k.protocol order by a.port limit 1
    ) a`;
  const { rows } = await executePrepared(db, statement);
  return inOrder(keys.length, rows);
}

/**
 * The row of each id, in the order given; null for an id that names nothing. One round trip for any number.
 * The plan is kept, so its shape leaves it no choice but the index, also when it is made on an empty table.
 */
export async function findRowsById(db: Kysely<Tables>, ids: readonly string[]): Promise<(AllocationRow | null)[]> {
  const statement = sql<AllocationRow & { place: string }>`
    select wanted.place, ${columns}
    from jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb) with ordinality wanted (id, place)
    cross join lateral (select * from port_allocations a where a.id = wanted.id::uuid limit 1) a`;
  const { rows } = await executePrepared(db, statement);
  return inOrder(ids.length, rows);
}

function inOrder(length: number, rows: (AllocationRow & { place: string })[]): (AllocationRow | null)[] {
  const found: (AllocationRow | null)[] = Array.from({ length }, () => null);
  for (const row of rows) found[Number(row.place) - 1] = row;
  return found;
}
