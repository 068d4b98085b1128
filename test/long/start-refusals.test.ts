// What a start says of a user without rights, and of a DATABASE_URL that leads nowhere.
import t, { type Test } from 'tap';
import { toAppError } from '../../src/database/errors.js';
import { createDatabase, openPostgres } from '../helpers/database.js';
import { runCommand, runScript } from '../helpers/service.js';
import { connect, LIST_TABLES, psql, refusalOf } from '../helpers/starting.js';

/** A user of its own, in the URL of the same database. */
async function createUser(t: Test, url: string): Promise<{ name: string; url: string }> {
  const name = `user_${Math.random().toString(36).slice(2)}`;
  await psql(url, `create role ${name} login password 'secret'`);
  t.teardown(async () => psql(url, `drop owned by ${name}`, `drop role ${name}`));
  return { name, url: Object.assign(new URL(url), { username: name, password: 'secret' }).href };
}

t.test('a user without rights is told which, and the statement that grants them works', async (t) => {
  const url = await createDatabase(t);
  const { name, url: limited } = await createUser(t, url);
  const follow = async (message: string, pattern: RegExp) =>
    psql(url, pattern.exec(message)?.[1] ?? `no such advice: ${message}`);

  const inPublic = await refusalOf(t, limited);
  t.match(inPublic, `DATABASE_URL: the user ${name} may not create tables in the schema public.`);
  const noSchema = await refusalOf(t, limited, { DATABASE_SCHEMA: 'ports' });
  t.match(
    noSchema,
    `there is no schema ports in the database ${new URL(url).pathname.slice(1)}, and the user ${name} may not`,
  );
  t.same(await psql(url, LIST_TABLES), [[]]);
  await follow(noSchema, /`(create schema ports [^`]*)`/);
  t.equal(await refusalOf(t, limited, { DATABASE_SCHEMA: 'ports' }), 'started');
  await psql(url, 'drop schema ports cascade');
  await follow(inPublic, /`(grant create on schema public [^`]*)`/);
  t.equal(await refusalOf(t, limited), 'started');

  const other = await createUser(t, url);
  const unreadable = await refusalOf(t, other.url);
  t.match(
    unreadable,
    `the user ${other.name} may not read and write all of the registry's tables: active_port_allocations, api_keys,`,
  );
  await follow(unreadable, /`(grant select, [^`]*)`/);
  t.equal(await refusalOf(t, other.url), 'started');

  await psql(url, 'create schema closed');
  const unusable = await refusalOf(t, other.url, { DATABASE_SCHEMA: 'closed' });
  t.match(unusable, `the user ${other.name} may not use the schema closed.`);
  await follow(unusable, /`(grant usage, [^`]*)`/);
  t.equal(await refusalOf(t, other.url, { DATABASE_SCHEMA: 'closed' }), 'started');
});

t.test('what DATABASE_URL lacks is told as that, without the password', async (t) => {
  const url = await createDatabase(t);
  for (const [change, pattern] of [
    [{ search: 'sslrootcert=/nope.pem' }, /^DATABASE_URL cannot be used: ENOENT.*'\/nope\.pem'/],
    [{ search: 'sslrootcert=package.json' }, /^DATABASE_URL cannot be used: the file of sslrootcert: /],
    [{ search: 'sslkey=package.json' }, /^DATABASE_URL cannot be used: the files of sslcert and sslkey: /],
    [{ search: 'sslmode=verify-full' }, /does not support SSL.*take sslmode out/],
    [{ pathname: '/nope' }, /database "nope" does not exist\. Create it/],
    [{ password: 'wrongpass' }, /password authentication failed.*Correct the user or the password/],
    [{ password: '' }, /the server asks for a password, and there is none/],
    [{ username: 'nobody' }, /^DATABASE_URL: no connection can be made: /],
  ] as [Partial<URL>, RegExp][]) {
    const message = await refusalOf(t, Object.assign(new URL(url), change).href);
    t.match(message, pattern);
    t.notMatch(message, /wrongpass|:postgres@/);
  }
});

t.test('a right that is taken away while the service runs is a refusal that says so', async (t) => {
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  await openPostgres(t, url);
  const { url: limited } = await createUser(t, url);
  const { db } = await connect(t, limited);
  const error = await db
    .selectFrom('port_ranges')
    .selectAll()
    .execute()
    .catch((reason) => reason);
  t.match(toAppError(error), { code: 'database-unavailable', message: /rights that it needs\. Nothing was changed/ });
});

t.test('the service and a command end with it', async (t) => {
  const url = await createDatabase(t);
  await psql(url, 'create table customers ()');
  const sentence = /^DATABASE_URL: the database holds tables of another application: customers\..*\n$/;
  const variables = { DATABASE_URL: url, PORT: '0', LOG_LEVEL: 'silent' };
  for (const ended of [
    runScript(t, 'src/main.js', variables),
    runCommand(t, ['migrate'], variables),
    runCommand(t, ['seed'], variables),
  ]) {
    t.match(await ended, { code: 1, output: sentence });
  }
  t.same(await psql(url, LIST_TABLES), [['public.customers']]);
});
