import { sql } from 'kysely';
import t from 'tap';
import { openPostgres } from '../helpers/database.js';

t.test('PostgreSQL compiles no statement just in time, within a transaction or without', async (t) => {
  const { db } = await openPostgres(t);
  const show = sql<{ jit: string }>`show jit`;
  t.same((await show.execute(db)).rows, [{ jit: 'off' }]);
  t.same(await db.transaction().execute(async (trx) => (await show.execute(trx)).rows), [{ jit: 'off' }]);
});

t.test('the limits of a transaction end with it', async (t) => {
  const { db } = await openPostgres(t);
  const show = sql<{ lock_timeout: string }>`show lock_timeout`;
  const within = await db.transaction().execute(async (trx) => (await show.execute(trx)).rows[0]?.lock_timeout);
  t.not(within, '0');
  t.same((await show.execute(db)).rows, [{ lock_timeout: '0' }]);
});
