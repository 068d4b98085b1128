// The change feed behind PgBouncer, where no replica can listen for another one.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { createDatabase, postgresUrl } from '../helpers/database.js';
import { proveFeed } from '../helpers/feed-proof.js';
import { startPgBouncer } from '../helpers/pgbouncer.js';
import { startService } from '../helpers/service.js';

t.setTimeout(120_000);

t.test('two replicas behind PgBouncer', async (t) => {
  const through = await startPgBouncer(t, postgresUrl());
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  const variables = { DATABASE_URL: through(url) };
  const services = [await startService(t, variables).ready(), await startService(t, variables).ready()];
  await proveFeed(
    t,
    () => services,
    url,
    () => sleep(5000),
  );
});
