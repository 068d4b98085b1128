// The trend of a project goes by the events, and says so where the service no longer has those of its first days.
import { type Kysely, sql } from 'kysely';
import type { Locator } from 'playwright-core';
import t from 'tap';
import type { Tables } from '../../src/database/tables.js';
import { runRetention } from '../../src/services/retention.js';
import { assertClean, openBrowser, visit } from '../helpers/browser.js';
import { serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';

t.test('the trend of a project', async (t) => {
  const browser = await openBrowser(t);
  const database = await openPostgres(t);
  const { url, request } = await serve(t, database);
  const put = (environment: string, services: string[]) =>
    request('PUT', `/v1/projects/odin/environments/${environment}`, {
      services: services.map((service) => ({ service })),
    });
  const age = async (days: number) => {
    await request('GET', '/v1/events?limit=1'); // every event is in the feed then
    await setBack(database.db, days);
  };
  await put('default', ['web', 'api']);
  await put('search', ['web', 'api', 'worker']);
  await age(10);
  await request('DELETE', '/v1/projects/odin/environments/search');
  await age(10); // five ports from the 20th day before today on, two from the 10th on
  const keep = (historyRetentionDays: number, eventRetentionDays: number) =>
    runRetention(database.db, { healthCheckRetentionDays: 30, historyRetentionDays, eventRetentionDays });

  t.test('has what was released, however soon released allocations are deleted', async (t) => {
    t.equal((await keep(5, 90)).allocations, 3);
    const visited = await visit(t, browser, `${url}?view=project&project=odin`);
    const trend = visited.page.getByRole('region', { name: 'Trend' });
    await trend.getByText('Between 0 and 5 ports were held, 2 are now.').first().waitFor();
    await trend.getByText('As a table').click();
    t.same(await heldByDay(trend), [...Array(11).fill(2), ...Array(10).fill(5), ...Array(9).fill(0)]);
    t.equal(await trend.getByText('Nothing is known of earlier days').count(), 0);

    await request('DELETE', '/v1/projects/odin/services/api');
    await trend.getByText('Between 0 and 5 ports were held, 1 is now.').first().waitFor();
    t.same((await heldByDay(trend)).slice(0, 3), [1, 2, 2], 'of what was changed now, only today tells');
    await put('default', ['api']);
    await trend.getByText('Between 0 and 5 ports were held, 2 are now.').first().waitFor();
    assertClean(t, visited);
  });

  t.test('begins where the events begin, and says so', async (t) => {
    t.ok((await keep(5, 15)).events > 0);
    const visited = await visit(t, browser, `${url}?view=project&project=odin`);
    const trend = visited.page.getByRole('region', { name: 'Trend' });
    await trend.getByText(/^Nothing is known of earlier days: the service keeps no events from before/).waitFor();
    await trend.getByText('2 ports were held on each day.').first().waitFor();
    await trend.getByText('As a table').click();
    t.same(await heldByDay(trend), Array(11).fill(2), 'from the oldest event that is kept to today');
    assertClean(t, visited);
  });
});

/** How many ports the table says were held, today first. */
const heldByDay = async (trend: Locator) => (await trend.locator('td').allInnerTexts()).map(Number);

/** Makes everything that has happened so far have happened so many days earlier. */
async function setBack(db: Kysely<Tables>, days: number): Promise<void> {
  await sql`alter table port_allocations disable trigger user`.execute(db); // this is no change to tell of
  await sql`
    update port_allocations set allocated_at = allocated_at - make_interval(days => ${days}::integer),
      released_at = released_at - make_interval(days => ${days}::integer)`.execute(db);
  await sql`alter table port_allocations enable trigger user`.execute(db);
  await sql`
    update events set time = time - make_interval(days => ${days}::integer),
      latest_time = latest_time - make_interval(days => ${days}::integer)`.execute(db);
}
