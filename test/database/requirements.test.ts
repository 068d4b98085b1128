// A database that is not ours, or that cannot serve, is refused before anything is created in it.
import { Kysely, Migrator, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import t from 'tap';
import { findProblem, type ServerFacts } from '../../src/database/requirements.js';
import { createDatabase } from '../helpers/database.js';
import { LIST_TABLES, psql, refusalOf } from '../helpers/starting.js';

/** An application of its own that migrates with Kysely's defaults. */
async function migrateForeignApp(url: string): Promise<string> {
  const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }) });
  const up = (schema: Kysely<unknown>) => sql`create table customers (id integer)`.execute(schema).then(() => {});
  const provider = { getMigrations: async () => ({ '2026_01_customers': { up } }) };
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  await db.destroy();
  return (error as Error | undefined)?.message ?? 'migrated';
}

t.test('the database of another application that migrates with Kysely', async (t) => {
  t.test('which was there first is refused, and untouched', async (t) => {
    const url = await createDatabase(t);
    t.equal(await migrateForeignApp(url), 'migrated');
    t.match(
      await refusalOf(t, url),
      /^DATABASE_URL: the database holds tables of another application: customers, kysely_migration, kysely_migration_lock\. Nothing was created.*`create database ports`.*DATABASE_SCHEMA=port_allocator/,
    );
    const own = ['public.customers', 'public.kysely_migration', 'public.kysely_migration_lock'];
    t.same(await psql(url, LIST_TABLES), [own]);
    t.match(
      await refusalOf(t, url, { DATABASE_SCHEMA: 'public' }),
      /^DATABASE_SCHEMA: the schema public holds tables of/,
    );

    t.equal(await refusalOf(t, url, { DATABASE_SCHEMA: 'ports' }), 'started');
    const [tables] = await psql(url, LIST_TABLES);
    t.same(
      tables?.filter((name) => !String(name).startsWith('ports.')),
      own,
    );
    t.equal(await migrateForeignApp(url), 'migrated', 'its own migrator goes on');
    t.match(await refusalOf(t, url), /registry in the schema ports of this database.*Set DATABASE_SCHEMA=ports/);
  });

  t.test('which comes second does not meet the registry', async (t) => {
    const url = await createDatabase(t);
    t.equal(await refusalOf(t, url), 'started');
    t.equal(await migrateForeignApp(url), 'migrated');
    t.equal(await refusalOf(t, url), 'started', 'the registry is there already');
    t.equal(await migrateForeignApp(url), 'migrated');
  });
});

t.test('what belongs to an extension is nobody’s table', async (t) => {
  const url = await createDatabase(t);
  await psql(url, 'create extension pg_stat_statements', 'create extension pg_buffercache');
  t.equal(await refusalOf(t, url), 'started');
});

t.test('a table of an earlier checkout is told as that, and a name that is taken as that', async (t) => {
  const url = await createDatabase(t);
  await psql(url, 'create table port_allocations ()');
  t.match(await refusalOf(t, url), /made from an earlier checkout.*CHANGELOG/);
  await psql(url, 'drop table port_allocations', 'create domain registry_name as text');
  t.match(await refusalOf(t, url), /0001_names_and_hosts would create: type "registry_name" already exists/);
  await psql(url, 'drop domain registry_name');
  t.equal(await refusalOf(t, url), 'started');
  await psql(
    url,
    "insert into port_allocator_migrations values ('0000_other')",
    "delete from port_allocator_migrations where name like '0014%'",
  );
  t.match(await refusalOf(t, url), /made by another version: it has the migration 0000_other and lacks 0014_/);
});

t.test('an encoding other than UTF-8 is refused', async (t) => {
  const url = await createDatabase(t, 'template0', "encoding 'LATIN1' locale 'C'");
  t.match(await refusalOf(t, url), /encoding LATIN1, .*`create database ports encoding 'UTF8' template template0`/);
  t.same(await psql(url, LIST_TABLES), [[]]);
});

t.test('a search_path that leads elsewhere is refused unless DATABASE_SCHEMA says where the registry is', async (t) => {
  const url = await createDatabase(t);
  const elsewhere = `${url}?options=-c%20search_path%3Dnowhere`;
  t.match(
    await refusalOf(t, elsewhere),
    /search_path nowhere, which leads to no schema and not to public.*Set DATABASE_SCHEMA/,
  );
  await psql(url, 'create schema nowhere');
  t.match(await refusalOf(t, elsewhere), /leads to the schema nowhere and not to public/);
  t.equal(await refusalOf(t, elsewhere, { DATABASE_SCHEMA: 'ports' }), 'started');
  const [tables] = await psql(url, LIST_TABLES);
  t.ok(
    tables?.every((name) => String(name).startsWith('ports.')),
    'everything is in the schema that was named',
  );
});

t.test('the decision about a server', async (t) => {
  const facts: ServerFacts = {
    versionNumber: 150004,
    version: '15.4',
    encoding: 'UTF8',
    database: 'd',
    user: 'u',
    searchPath: '"$user", public',
    pathLeadsTo: 'public',
    mayUseSchema: true,
    withoutRights: [],
  };
  t.equal(findProblem(facts, null), null);
  t.equal(findProblem({ ...facts, mayUseSchema: null }, 'ports'), null, 'a schema that does not exist yet');
  t.match(
    findProblem({ ...facts, versionNumber: 140012, version: '14.12' }, null),
    /PostgreSQL 14\.12, and the service needs 15/,
  );
  t.match(findProblem({ ...facts, pathLeadsTo: null }, null), /leads to no schema/);
  t.equal(findProblem({ ...facts, pathLeadsTo: null }, 'public'), null);
});
