// Which statements stay prepared on a connection. The connection is asked itself (pg_prepared_statements).
import { Kysely, sql } from 'kysely';
import pg from 'pg';
import t from 'tap';
import { readCommittedDialect } from '../../src/database/driver.js';
import { MAX_PREPARED } from '../../src/database/prepared-statements.js';
import { setUpConnection } from '../../src/database/server-settings.js';
import { compilePrepared, executePrepared, sendTogether } from '../../src/database/statements.js';
import type { Tables } from '../../src/database/tables.js';
import { openEmbedded, openPostgres, postgresUrl } from '../helpers/database.js';

const hot = sql<{ answer: string }>`select 'hot' as answer`;
const distinct = (n: number) => sql<{ n: number }>`select ${sql.lit(n)}::integer as n`;

async function readPrepared(db: Kysely<Tables>) {
  const { rows } = await sql<{ statement: string; executions: number }>`
    select statement, (generic_plans + custom_plans)::integer as executions
    from pg_prepared_statements`.execute(db);
  return rows;
}

t.test('a frequent statement stays prepared however many others are sent, and their number is limited', async (t) => {
  const { db } = await openPostgres(t);
  await db.connection().execute(async (connection) => {
    const answers = [];
    for (let n = 0; n < 500; n++) {
      answers.push(
        (await executePrepared(connection, hot)).rows,
        (await executePrepared(connection, distinct(n))).rows,
      );
    }
    t.same(answers, Array.from({ length: 500 }, (_, n) => [[{ answer: 'hot' }], [{ n }]]).flat());
    const prepared = await readPrepared(connection);
    t.equal(prepared.length, MAX_PREPARED);
    t.match(
      prepared.find(({ statement }) => statement === "select 'hot' as answer"),
      { executions: 500 },
      'it was never prepared again',
    );
    t.same((await executePrepared(connection, distinct(0))).rows, [{ n: 0 }], 'what was closed is prepared anew');
    t.equal((await readPrepared(connection)).length, MAX_PREPARED);
  });
});

t.test('more statements than are kept prepared can be in progress at the same time', async (t) => {
  const { db } = await openPostgres(t);
  await db.transaction().execute(async (trx) => {
    const numbers = Array.from({ length: 3 * MAX_PREPARED }, (_, n) => n % (2 * MAX_PREPARED));
    const answers = await sendTogether<{ n: number }[]>(
      trx,
      numbers.map((n) => compilePrepared(distinct(n), trx)),
    );
    t.same(
      answers,
      numbers.map((n) => [{ n }]),
    );
    t.equal((await readPrepared(trx)).length, MAX_PREPARED);
  });
});

t.test('removing a prepared statement within a failed transaction does no harm', async (t) => {
  const { db } = await openPostgres(t);
  await db.connection().execute(async (connection) => {
    for (let n = 0; n < MAX_PREPARED; n++) await executePrepared(connection, distinct(n));
    const failing = connection.transaction().execute(async (trx) => {
      await t.rejects(sql`select 1 / 0`.execute(trx), { code: '22012' });
      for (let n = 200; n < 250; n++) {
        await t.rejects(executePrepared(trx, distinct(n)), { code: '25P02' }, 'the transaction has failed');
      }
      throw new Error('given up');
    });
    await t.rejects(failing, { message: 'given up' });
    t.equal((await readPrepared(connection)).length, MAX_PREPARED - 50);
    for (let n = 150; n < 300; n++) t.same((await executePrepared(connection, distinct(n))).rows, [{ n }]);
    t.equal((await readPrepared(connection)).length, MAX_PREPARED);
  });
});

t.test('behind a pooler, recognized by the process id that it invents, nothing is prepared', async (t) => {
  const pool = new pg.Pool({
    connectionString: postgresUrl(),
    pipeline: true,
    onConnect: (client) => setUpConnection(Object.assign(client, { processID: 1 }), 'public'),
  });
  const db = new Kysely<Tables>({ dialect: readCommittedDialect(pool, { lockTimeoutMs: 0, statementTimeoutMs: 0 }) });
  t.teardown(() => db.destroy());
  await db.connection().execute(async (connection) => {
    t.same((await executePrepared(connection, hot)).rows, [{ answer: 'hot' }]);
    t.same(await readPrepared(connection), []);
  });
});

t.test('in the embedded database nothing is prepared', async (t) => {
  const { db } = await openEmbedded(t);
  t.same((await executePrepared(db, hot)).rows, [{ answer: 'hot' }]);
  t.same(await readPrepared(db), []);
});
