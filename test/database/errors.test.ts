// What each database error tells a caller: whether anything was changed, and whether trying again helps.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Kysely, PostgresDialect, type PostgresPoolClient, sql } from 'kysely';
import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { isOutcomeUnknown, isSchemaMissing, toAppError } from '../../src/database/errors.js';
import { toStartError } from '../../src/database/start-errors.js';
import type { Tables } from '../../src/database/tables.js';
import { Registry } from '../../src/registry/registry.js';
import type { Session } from '../../src/registry/session.js';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, openPostgres, silentLog } from '../helpers/database.js';
import { assertProblem } from '../helpers/problems.js';

const error = (message: string, properties: object = {}) => Object.assign(new Error(message), properties);
const sqlState = (code: string) => error(`SQLSTATE ${code}`, { code });
const refused = error('connect ECONNREFUSED', { code: 'ECONNREFUSED', syscall: 'connect' });
const lost = error('Connection terminated unexpectedly');

t.test('errors after which nothing was changed say so, with Retry-After', async (t) => {
  for (const [code, cause] of [
    ['project-busy', sqlState('55P03')],
    ['project-busy', sqlState('40P01')],
    ['project-busy', sqlState('40001')],
    ['overloaded', error('timeout exceeded when trying to connect')],
    ['database-unavailable', refused],
    ['database-unavailable', Object.assign(new AggregateError([refused, refused]), { code: 'ECONNREFUSED' })],
    ['database-unavailable', error('getaddrinfo ENOTFOUND', { code: 'ENOTFOUND', syscall: 'getaddrinfo' })],
    ['database-unavailable', error('getaddrinfo EAI_AGAIN', { code: 'EAI_AGAIN', syscall: 'getaddrinfo' })],
    ['database-unavailable', error('connect ENOENT', { code: 'ENOENT', syscall: 'connect' })],
    ['database-unavailable', error('connect ETIMEDOUT', { code: 'ETIMEDOUT', syscall: 'connect' })],
    ['database-unavailable', error('Connection terminated due to connection timeout')],
    ['database-unavailable', sqlState('57P03')],
    ['database-unavailable', sqlState('57014')],
    ['database-unavailable', sqlState('28P01')],
  ] as const) {
    t.match(toAppError(cause), { code, message: /Nothing was changed; try again\.$/, extras: { retryAfter: 1 } });
    t.equal(isOutcomeUnknown(cause), false);
  }
});

t.test('errors after which it is unknown whether anything was changed say that', async (t) => {
  for (const cause of [
    lost,
    error('Query read timeout'),
    error('read ECONNRESET', { code: 'ECONNRESET', syscall: 'read' }),
    error('read ETIMEDOUT', { code: 'ETIMEDOUT', syscall: 'read' }),
    sqlState('57P01'),
    sqlState('08006'),
  ]) {
    t.match(toAppError(cause), { code: 'database-unavailable', message: /may or may not have been made/ });
    t.equal(isOutcomeUnknown(cause), true);
  }
});

t.test('an unmigrated schema means that the database is unavailable and nothing was changed', async (t) => {
  for (const cause of [
    error('relation "port_ranges" does not exist', { code: '42P01' }),
    error('Funktion free_ports(unknown, text) existiert nicht', { code: '42883' }),
    error('column p.cost does not exist', { code: '42703' }),
  ]) {
    t.match(toAppError(cause), { code: 'database-unavailable', message: /npm run migrate/ });
    t.equal(isOutcomeUnknown(cause), false);
    t.match(toStartError(cause), {
      name: 'StartError',
      message: `DATABASE_URL: tables of the registry are missing: ${cause.message}`,
    });
  }
  const ofOthers = error('relation "customers" does not exist', { code: '42P01' });
  t.equal(toAppError(ofOthers), null, 'a relation that the migrations do not make is a bug');
  t.equal(toStartError(ofOthers), ofOthers);
});

t.test('every table, view and function of the migrations is known as one of the registry', async (t) => {
  const { db } = await openPostgres(t);
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v')
    union select proname from pg_proc where pronamespace = 'public'::regnamespace`.execute(db);
  t.ok(rows.length > 20);
  for (const { name } of rows)
    t.ok(isSchemaMissing(error(`relation "${name}" does not exist`, { code: '42P01' })), name);
});

t.test('a missing file is not taken for an error of the database', async (t) => {
  const missing = error('ENOENT: no such file', { code: 'ENOENT', syscall: 'scandir' });
  t.equal(toAppError(missing), null);
  t.equal(isOutcomeUnknown(missing), false);
});

/** A session whose connections fail one after another as `outcomes` says: at connecting or at the first query. */
function failingSession(...outcomes: { connect?: Error; query?: Error }[]): {
  session: Session;
  connects: () => number;
} {
  let connects = 0;
  const connect = async () => {
    const outcome = outcomes[connects++] ?? {};
    if (outcome.connect) throw outcome.connect;
    return { query: () => Promise.reject(outcome.query), release() {} } as unknown as PostgresPoolClient;
  };
  const dialect = new PostgresDialect({ pool: { connect, end: async () => {} } });
  const registry = new Registry(new Kysely<Tables>({ dialect }));
  return { session: registry.asBackground(), connects: () => connects };
}

t.test('only an idempotent operation is tried once more, and only after a lost connection', async (t) => {
  const key = { project: 'p', service: 's', environment: 'e', host: 'localhost', protocol: 'tcp' } as const;
  const allocate = (session: Session) => session.execute('p', { kind: 'get-or-allocate', key, details: {} });
  for (const cause of [sqlState('40P01'), sqlState('42P01'), sqlState('57014')]) {
    const { session, connects } = failingSession({ query: cause });
    await t.rejects(allocate(session), cause);
    t.equal(connects(), 1);
  }
  for (const cause of [refused, error('timeout exceeded when trying to connect')]) {
    const { session, connects } = failingSession({ connect: cause });
    await t.rejects(allocate(session), cause);
    t.equal(connects(), 1);
  }
  for (const second of [{ connect: refused }, { query: sqlState('40P01') }]) {
    const { session, connects } = failingSession({ query: lost }, second);
    await t.rejects(
      allocate(session),
      { message: /may or may not have been made/ },
      'the first attempt’s, not the second’s',
    );
    t.equal(connects(), 2);
  }
});

t.test('if connections are accepted and closed, as by a proxy without a server, nothing was changed', async (t) => {
  const proxy = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  t.teardown(() => proxy.close());
  await once(proxy, 'listening');
  const url = `postgresql://u:p@127.0.0.1:${(proxy.address() as AddressInfo).port}/x`;
  const database = await connectDatabase(loadConfig({ DATABASE_URL: url }), silentLog);
  t.teardown(() => database.close());
  const answer = await requester(await makeApp(t, database))('PUT', '/v1/projects/consilio/services/api');
  assertProblem(t, answer, 'database-unavailable');
  t.match(answer.body.detail, /Nothing was changed/);
});

t.test('calls for which no connection comes free are refused as overload, and change nothing', async (t) => {
  const url = await createDatabase(t);
  await openPostgres(t, url);
  const variables = { DATABASE_URL: url, DATABASE_POOL_SIZE: '1', REQUEST_TIMEOUT_MS: '1500' };
  const database = await connectDatabase(loadConfig(variables), silentLog);
  const request = requester(await makeApp(t, database));
  t.teardown(() => database.close());
  let letGo = () => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  let busy = Promise.resolve();
  await new Promise<void>((taken) => {
    busy = database.db.connection().execute(() => {
      taken();
      return held;
    });
  });
  for (const method of ['GET', 'PUT'] as const) {
    const answer = await request(method, '/v1/projects/consilio/services/api');
    assertProblem(t, answer, 'overloaded');
    t.match(answer.body.detail, /Nothing was changed/);
    t.equal(answer.headers['retry-after'], '1');
  }
  letGo();
  await busy;
  t.equal((await request('GET', '/v1/projects/consilio/services/api')).status, 404);
});
