import { type Kysely, sql, type Transaction } from 'kysely';
import { CommandRefused } from '../errors.js';
import type { Log } from './connect.js';
import { isMigrated } from './migrate.js';
import { MIGRATIONS_TABLE, type Tables } from './tables.js';

/** Usually a few hundred kilobytes. Some rows are larger: the stored answer of one import may have a megabyte. */
const BATCH_ROWS = 500;

interface Table {
  name: string;
  columns: string[];
  references: string[];
}

interface Content {
  rows: number;
  digest: string;
}

/**
 * Copies every row of every table that the migrations made. All is inserted in one transaction, so that the target is
 * still empty after a crash. The caller holds the lock of the source's data folder, so that nobody writes to the
 * source meanwhile. Rows travel as JSON text that PostgreSQL writes and reads itself: JavaScript's numbers and dates
 * would lose precision.
 * @param target an empty database with the same migrations as the source
 * @returns how many rows each table has
 * @throws CommandRefused
 */
export async function copyRegistry(
  source: Kysely<Tables>,
  target: Kysely<Tables>,
  log: Log,
): Promise<Record<string, number>> {
  return source.transaction().execute((from) =>
    target.transaction().execute(async (to) => {
      await prepareSession(from);
      await prepareSession(to);
      await requireSameMigrations(from, to);
      const tables = await listTables(from);
      await lockTables(to, tables);
      await requireEmpty(to, tables);
      await setTriggers(to, tables, 'disable');
      // The migrations' own rows, in place of which come the source's.
      for (const name of FILLED_BY_MIGRATIONS) await sql`delete from ${sql.table(name)}`.execute(to);
      const counts: Record<string, number> = {};
      for (const table of tables) {
        log.info({ table: table.name }, 'Copying');
        await copyTable(from, to, table);
        counts[table.name] = await requireSameContent(from, to, table);
      }
      await setTriggers(to, tables, 'enable');
      return counts;
    }),
  );
}

/** Tables that have rows as soon as the migrations were applied. */
const FILLED_BY_MIGRATIONS = ['excluded_ports', 'event_feed'];

/**
 * What the tables of FILLED_BY_MIGRATIONS have says nothing of whether a registry is in use.
 * @throws CommandRefused naming the other tables that have rows. A table that does not exist counts as empty.
 */
export async function requireEmpty(db: Kysely<Tables>, tables: Pick<Table, 'name'>[]): Promise<void> {
  const filled: string[] = [];
  for (const { name } of tables.filter(({ name }) => !FILLED_BY_MIGRATIONS.includes(name))) {
    const { rows: known } = await sql<{ known: boolean }>`select to_regclass(${name}) is not null as known`.execute(db);
    if (!known[0]?.known) continue;
    const { rows } = await sql<{ filled: boolean }>`select exists (select from ${sql.table(name)}) as filled`.execute(
      db,
    );
    if (rows[0]?.filled) filled.push(name);
  }
  if (filled.length === 0) return;
  throw new CommandRefused(
    `The database of DATABASE_URL is not empty: it has rows in ${filled.join(', ')}. Nothing was moved, and nothing ` +
      'changed there. Give an empty one (`create database`); where only the seven ranges of a first start are in the way, drop it first.',
  );
}

/**
 * The tables that the migrations made, each after the tables that it refers to. The table of the migrations is left
 * out, because the target has it from its own migrations.
 */
export async function listTables(db: Kysely<Tables>): Promise<Table[]> {
  const { rows } = await sql<Table>`
    select t.relname as name,
           array(select c.attname::text from pg_attribute c
                 where c.attrelid = t.oid and c.attnum > 0 and not c.attisdropped and c.attgenerated = ''
                 order by c.attnum) as columns,
           array(select distinct r.relname::text from pg_constraint f join pg_class r on r.oid = f.confrelid
                 where f.conrelid = t.oid and f.contype = 'f' and r.oid <> t.oid) as references
    from pg_class t
    where t.relkind = 'r' and t.relnamespace = current_schema()::regnamespace and t.relname <> ${MIGRATIONS_TABLE}
    order by t.relname`.execute(db);
  const ordered: Table[] = [];
  for (const left = new Set(rows); left.size > 0; ) {
    const next = [...left].find(({ references }) =>
      references.every((name) => ordered.some((table) => table.name === name)),
    );
    if (!next) throw new Error(`Tables refer to one another in a circle: ${[...left].map(({ name }) => name)}`);
    ordered.push(next);
    left.delete(next);
  }
  return ordered;
}

/**
 * Sets the same time zone on both sides, so that they write times alike, and allows sequential scans, because whole
 * tables are read. Each side may be idle for as long as the other one works.
 */
async function prepareSession(trx: Transaction<Tables>): Promise<void> {
  await sql`set local timezone = 'UTC'`.execute(trx);
  await sql`set local enable_seqscan = on`.execute(trx);
  await sql`set local idle_in_transaction_session_timeout = 0`.execute(trx);
}

async function requireSameMigrations(from: Transaction<Tables>, to: Transaction<Tables>): Promise<void> {
  const [source, target] = [await readMigrationNames(from), await readMigrationNames(to)];
  if (!(await isMigrated(from))) {
    throw new CommandRefused(
      'The registry in DATA_DIR was made by an older version, and moving does not change it. Nothing was moved. ' +
        'Run `npm run migrate` without DATABASE_URL, which brings it up to this version, and move it then.',
    );
  }
  if (source.join() === target.join()) return;
  throw new CommandRefused(
    'DATA_DIR and the database of DATABASE_URL have different migrations, because a newer version was used on one of them. ' +
      'Nothing was moved. Move with that newer version.',
  );
}

async function readMigrationNames(trx: Transaction<Tables>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(MIGRATIONS_TABLE)}`.execute(trx);
  return rows.map(({ name }) => name).sort();
}

/**
 * In this mode, a service that starts on the target meanwhile can read the tables, and waits before it writes to them.
 */
async function lockTables(to: Transaction<Tables>, tables: Table[]): Promise<void> {
  const names = sql.join(tables.map(({ name }) => sql.table(name)));
  await sql`lock table ${names} in exclusive mode nowait`.execute(to).catch((error) => {
    if (error.code !== '55P03') throw error; // lock_not_available
    throw new CommandRefused(
      'Somebody works in the database of DATABASE_URL. Nothing was moved. Stop the services that run on it first.',
      { cause: error },
    );
  });
}

/**
 * Switches the triggers of the migrations off while rows are copied, and on again: they would write an event for each row.
 * Until this transaction is committed, nobody else can write to these tables.
 */
async function setTriggers(to: Transaction<Tables>, tables: Table[], state: 'enable' | 'disable'): Promise<void> {
  for (const { name } of tables) await sql`alter table ${sql.table(name)} ${sql.raw(state)} trigger user`.execute(to);
}

async function copyTable(from: Transaction<Tables>, to: Transaction<Tables>, { name, columns }: Table): Promise<void> {
  const table = sql.table(name);
  const list = sql.join(columns.map((column) => sql.ref(column)));
  await sql`declare copied no scroll cursor for select to_json(t)::text as row from ${table} t`.execute(from);
  for (;;) {
    const { rows } = await sql<{ row: string }>`fetch forward ${sql.lit(BATCH_ROWS)} from copied`.execute(from);
    if (rows.length === 0) break;
    const batch = `[${rows.map(({ row }) => row).join()}]`;
    await sql`
      insert into ${table} (${list}) overriding system value
      select ${list} from json_populate_recordset(null::${table}, ${batch}::json)`.execute(to);
  }
  await sql`close copied`.execute(from);
  await continueIdentity(to, name);
}

/** New rows get ids behind those that were copied. */
async function continueIdentity(to: Transaction<Tables>, name: string): Promise<void> {
  const { rows } = await sql<{ column: string }>`
    select attname::text as column from pg_attribute
    where attrelid = ${name}::regclass and attidentity <> '' and not attisdropped`.execute(to);
  for (const { column } of rows) {
    await sql`
      select setval(pg_get_serial_sequence(${name}, ${column}), max(${sql.ref(column)})) from ${sql.table(name)}
      having max(${sql.ref(column)}) is not null`.execute(to);
  }
}

async function requireSameContent(
  from: Transaction<Tables>,
  to: Transaction<Tables>,
  { name }: Table,
): Promise<number> {
  const [source, target] = [await readContent(from, name), await readContent(to, name)];
  if (source.rows === target.rows && source.digest === target.digest) return source.rows;
  const describe = ({ rows, digest }: Content) => `${rows} rows (${digest})`;
  throw new Error(
    `${name} has ${describe(source)} in DATA_DIR, and ${describe(target)} after the copy; nothing was moved`,
  );
}

/**
 * Adds up a hash of every row, because a sum does not depend on the order of the rows. The order of text differs
 * between databases, and sorting a million rows takes much memory.
 */
async function readContent(trx: Transaction<Tables>, table: string): Promise<Content> {
  const part = (start: number) => sql`coalesce(sum(('x' || substr(hash, ${sql.lit(start)}, 15))::bit(60)::bigint), 0)`;
  const { rows } = await sql<Content>`
    select count(*)::integer as rows, concat_ws('/', ${part(1)}, ${part(16)}) as digest
    from (select md5(to_jsonb(t)::text) as hash from ${sql.table(table)} t) hashed`.execute(trx);
  return rows[0] as Content;
}
