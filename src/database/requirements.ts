// What a database must be like before the registry is created in it, or used. Every refusal says what to do.
import { type Kysely, sql } from 'kysely';
import { StartError } from '../errors.js';
import type { Database } from './connect.js';
import { DEFAULT_SCHEMA } from './server-settings.js';
import { MIGRATIONS_TABLE, type Tables } from './tables.js';

const OLDEST_VERSION = 15;
/** How many tables of somebody else a refusal names. */
const NAMED = 4;
const SUGGESTED_SCHEMA = 'port_allocator';

export interface ServerFacts {
  /** As PostgreSQL numbers its versions: 150004 is 15.4. */
  versionNumber: number;
  version: string;
  encoding: string;
  database: string;
  user: string;
  /** The search_path that a session has before the service sets it: of the role, the database or DATABASE_URL. */
  searchPath: string;
  /** The schema that this search_path leads to. Null if there is none that exists and that the user may use. */
  pathLeadsTo: string | null;
  /** Whether the user may use the registry's schema. Null if the schema does not exist. */
  mayUseSchema: boolean | null;
  /** The registry's tables and views that the user may not read, or not write. */
  withoutRights: string[];
}

/**
 * Checks what can be said of a database before anything is created in it. Does nothing on the embedded database, which
 * this service creates itself.
 * @throws StartError
 */
export async function requireServable({ kind, schema, db }: Pick<Database, 'kind' | 'schema' | 'db'>): Promise<void> {
  if (kind === 'embedded') return;
  const problem = findProblem(await readFacts(db, schema ?? DEFAULT_SCHEMA), schema);
  if (problem !== null) throw new StartError(`DATABASE_URL: ${problem}`);
}

async function readFacts(db: Kysely<Tables>, schema: string): Promise<ServerFacts> {
  return db.transaction().execute(async (trx) => {
    await sql`set local search_path to default`.execute(trx);
    const { rows } = await sql<ServerFacts>`
      select current_setting('server_version_num')::integer as "versionNumber",
             current_setting('server_version') as version,
             current_setting('server_encoding') as encoding,
             current_database() as database,
             current_user as "user",
             current_setting('search_path') as "searchPath",
             current_schema() as "pathLeadsTo",
             (select has_schema_privilege(n.oid, 'usage') from pg_namespace n where n.nspname = ${schema})
               as "mayUseSchema",
             array(
               select t.relname::text
               from pg_class m
               join pg_namespace n on n.oid = m.relnamespace and n.nspname = ${schema}
               join pg_class t on t.relnamespace = m.relnamespace and t.relowner = m.relowner and t.relkind in ('r', 'v')
               where m.relname = ${MIGRATIONS_TABLE}
                 and not (has_table_privilege(t.oid, 'select') and (t.relkind = 'v' or t.oid = m.oid or (
                   has_table_privilege(t.oid, 'insert') and has_table_privilege(t.oid, 'update')
                   and has_table_privilege(t.oid, 'delete'))))
               order by t.relname) as "withoutRights"`.execute(trx);
    return rows[0] as ServerFacts;
  });
}

/**
 * Why a database cannot serve, and what to do; null if it can.
 * @param schema DATABASE_SCHEMA, null if it is not set
 */
export function findProblem(facts: ServerFacts, schema: string | null): string | null {
  const { database, user, encoding, searchPath, pathLeadsTo, withoutRights } = facts;
  const name = schema ?? DEFAULT_SCHEMA;
  if (facts.versionNumber < OLDEST_VERSION * 10_000) {
    return `the server is PostgreSQL ${facts.version}, and the service needs ${OLDEST_VERSION} or newer. Upgrade it, or use another server.`;
  }
  if (encoding !== 'UTF8') {
    return (
      `the database ${database} has the encoding ${encoding}, which cannot store every text. Create one with ` +
      `\`create database ports encoding 'UTF8' template template0\` (where the locale demands another encoding, add ` +
      `\`locale 'C'\`), and name it in DATABASE_URL.`
    );
  }
  if (facts.mayUseSchema === false) {
    return (
      `the user ${user} may not use the schema ${name}. As its owner, run \`grant usage, create on schema ${name} ` +
      `to ${user}\`, or set DATABASE_SCHEMA to another schema.`
    );
  }
  if (withoutRights.length > 0) {
    return (
      `the user ${user} may not read and write all of the registry's tables: ${listNames(withoutRights)}. As their owner, ` +
      `run \`grant select, insert, update, delete on all tables in schema ${name} to ${user}\`.`
    );
  }
  if (schema === null && pathLeadsTo !== DEFAULT_SCHEMA) {
    return (
      `its sessions have the search_path ${searchPath}, which leads to ${pathLeadsTo ? `the schema ${pathLeadsTo}` : 'no schema'} ` +
      `and not to ${DEFAULT_SCHEMA}, where the registry would be. Set DATABASE_SCHEMA to the schema that the registry ` +
      'is to be in, which is created if it is missing; the search_path then does not matter.'
    );
  }
  return null;
}

/** @throws StartError if the user may not create tables in the schema, or the schema itself where it is missing */
export async function requireRightToCreate(db: Kysely<Tables>, schema: string): Promise<void> {
  const { rows } = await sql<{ user: string; database: string; exists: boolean; mayCreate: boolean }>`
    select current_user as user, current_database() as database, n.oid is not null as exists,
           case when n.oid is null then has_database_privilege(current_database(), 'create')
                else has_schema_privilege(n.oid, 'create') end as "mayCreate"
    from (select) one left join pg_namespace n on n.nspname = ${schema}`.execute(db);
  const [found] = rows;
  if (!found || found.mayCreate) return;
  const { user, database, exists } = found;
  throw new StartError(
    exists
      ? `DATABASE_URL: the user ${user} may not create tables in the schema ${schema}. As the owner of the database, ` +
          `run \`grant create on schema ${schema} to ${user}\`, or \`create schema ${SUGGESTED_SCHEMA} authorization ${user}\` ` +
          `and set DATABASE_SCHEMA=${SUGGESTED_SCHEMA}.`
      : `DATABASE_SCHEMA: there is no schema ${schema} in the database ${database}, and the user ${user} may not create ` +
          `one. As the owner of the database, run \`create schema ${schema} authorization ${user}\`.`,
  );
}

/**
 * Refuses a database that somebody else uses: with DATABASE_SCHEMA one that has tables in that schema, and without it
 * one that has tables anywhere. So a replica whose DATABASE_SCHEMA was forgotten does not begin a second registry. What
 * belongs to an extension does not count.
 *
 * Call it under the migration lock, and only if the registry has no tables yet.
 * @param schema DATABASE_SCHEMA, null if it is not set
 * @throws StartError naming some of the tables
 */
export async function requireOwnTables(db: Kysely<Tables>, schema: string | null): Promise<void> {
  const { rows } = await sql<{ schema: string; name: string }>`
    select n.nspname as schema, c.relname as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
      and (n.nspname = ${schema} or ${schema === null} and n.nspname !~ '^pg_' and n.nspname <> 'information_schema')
      and not exists (
        select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by n.nspname <> ${DEFAULT_SCHEMA}, n.nspname, c.relname`.execute(db);
  if (rows.length === 0) return;
  const own = schema ?? DEFAULT_SCHEMA;
  if (rows.some((row) => row.schema === own && row.name === 'port_allocations')) {
    throw new StartError(
      'The registry was made from an earlier checkout, and cannot be changed to what this version needs. Nothing was ' +
        'changed. Make it anew as CHANGELOG.md says.',
    );
  }
  const registry = rows.find((row) => row.name === MIGRATIONS_TABLE)?.schema;
  if (registry !== undefined) {
    throw new StartError(
      `DATABASE_SCHEMA is not set, and there is a registry in the schema ${registry} of this database. Nothing was ` +
        `created. Set DATABASE_SCHEMA=${registry} to use it, or another name to begin another one.`,
    );
  }
  const names = rows.map((row) => (row.schema === own ? row.name : `${row.schema}.${row.name}`));
  throw new StartError(
    `${schema === null ? 'DATABASE_URL: the database' : `DATABASE_SCHEMA: the schema ${schema}`} holds tables of another ` +
      `application: ${listNames(names)}. Nothing was created in it. ` +
      (schema === null
        ? 'Give the registry a database of its own (`create database ports`), or a schema of its own in this one: ' +
          `DATABASE_SCHEMA=${SUGGESTED_SCHEMA}, which is created.`
        : 'Set DATABASE_SCHEMA to a schema for the registry alone; it is created if it is missing.'),
  );
}

function listNames(names: string[]): string {
  const others = names.length - NAMED;
  return `${names.slice(0, NAMED).join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
}
