import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config.js';
import { connectDatabase, type Database } from '../../src/database/connect.js';
import { type Agent, ask, killService, startAgents } from '../helpers/agents.js';
import { makeSeededDir, silentLog } from '../helpers/database.js';

t.setTimeout(120_000);

/**
 * How long the service is left alone after a call, in one try after the other. It does this work beside its calls, and
 * what it has done can be read only when nobody has the database open.
 */
const WAITS_MS = [1000, 5000, 20_000];

/** Opens the database of a data folder in this process for a moment. */
async function inDatabase<T>(dataDir: string, work: (db: Database['db']) => Promise<T>): Promise<T> {
  const database = await connectDatabase(loadConfig({ DATA_DIR: dataDir }), silentLog);
  try {
    return await work(database.db);
  } finally {
    await database.close();
  }
}

async function startAgent(t: Test, dataDir: string): Promise<Agent> {
  return (await startAgents(t, dataDir, 1))[0] as Agent;
}

t.test('the service in the background sweeps reservations and deletes old health checks', async (t) => {
  const dataDir = await makeSeededDir(t);
  await inDatabase(dataDir, async (db) => {
    await sql`
      insert into port_reservations (port, project, created_at, expires_at)
      values (3350, 'odin', clock_timestamp() - interval '1 hour', clock_timestamp() - interval '1 minute')`.execute(
      db,
    );
    await sql`
      with held as (insert into port_allocations (port, project, service) values (3300, 'odin', 'api') returning id)
      insert into port_health_checks (allocation_id, project, port, host, outcome, checked_at)
      select id, 'odin', 3300, 'localhost', 'open', clock_timestamp() - make_interval(days => i * 40)
      from held, generate_series(0, 1) i`.execute(db);
  });
  const expected = {
    reservations: [{ status: 'expired' }],
    checks: [{ port: 3300 }],
    leases: [{ name: 'environments' }, { name: 'reservations' }, { name: 'retention' }],
  };
  let found: unknown;
  for (const waitMs of WAITS_MS) {
    const agent = await startAgent(t, dataDir);
    await ask(agent, 'get-port', { service: 'api' });
    await setTimeout(waitMs);
    await agent.close();
    await killService(dataDir);
    found = await inDatabase(dataDir, async (db) => {
      const state = {
        reservations: await db.selectFrom('port_reservations').select('status').execute(),
        checks: await db.selectFrom('port_health_checks').select('port').execute(),
        leases: await db.selectFrom('leases').select('name').orderBy('name').execute(),
      };
      await db.deleteFrom('leases').execute(); // the next process would not repeat a pass that was cut off
      return state;
    });
    if (isDeepStrictEqual(found, expected)) break;
  }
  t.same(found, expected);
});
