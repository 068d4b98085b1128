import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import { pino } from 'pino';
import { buildApp } from '../src/app.js';
import { loadConfig } from '../src/config.js';
import type { Tables } from '../src/database/tables.js';
import { Metrics } from '../src/metrics.js';
import { createService } from '../src/service.js';

/** Generates the contract from the routes, as the text of its two files. Needs no database. */
export async function renderContract(): Promise<{ json: string; yaml: string }> {
  const db = new Kysely<Tables>({
    dialect: {
      createDriver: () => new DummyDriver(),
      createAdapter: () => new PostgresAdapter(),
      createIntrospector: (instance) => new PostgresIntrospector(instance),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
  const log = pino({ level: 'silent' });
  const app = await buildApp(createService({ database: { db }, config: loadConfig({}), log }), new Metrics());
  await app.ready();
  const contract = { json: `${JSON.stringify(app.swagger(), null, 2)}\n`, yaml: app.swagger({ yaml: true }) };
  await app.close();
  return contract;
}
