// What changes without an event is true on a page that stays open all the same, and what it reads for that is little.
import type { Page } from 'playwright-core';
import t from 'tap';
import { assertClean, cell, openBrowser, visit } from '../helpers/browser.js';
import { serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { listenIn } from '../helpers/listeners.js';
import { until } from '../helpers/until.js';

/** Who listens on this machine is listed, and not who does on an address of the test's. */
const THIS_MACHINE = { PROBE_TARGETS: '' };
/** Of a range in which no other test listens. */
const START = 27_300;

t.test('what no event tells', { skip: process.platform !== 'linux' }, async (t) => {
  const browser = await openBrowser(t);
  const { url, request } = await serve(t, await openPostgres(t), THIS_MACHINE);
  await request('POST', '/v1/ranges', { project: 'open', startPort: START });
  const hold = async (service: string) => (await request('PUT', `/v1/projects/open/services/${service}`, {})).body;
  const { id, port } = await hold('api');
  const web = await hold('web');
  const folder = t.testdir();
  await listenIn(t, folder, '127.0.0.1', port);
  await request('POST', '/v1/audits', { unallocated: true });
  const lastUsedAt = async () => (await request('GET', `/v1/allocations/${id}`)).body.lastUsedAt as string;
  const row = (page: Page, service: string) => page.getByRole('row').filter({ hasText: service });
  const isSeen = async (page: Page) =>
    page
      .locator(`time[datetime="${await lastUsedAt()}"]`)
      .first()
      .waitFor();

  await t.test('services are seen again by audits of others, and by a probe of this page', async (t) => {
    const visited = await visit(t, browser, `${url}?project=open`);
    const environments = await visit(t, browser, `${url}?view=environments`);
    await isSeen(visited.page);
    await isSeen(environments.page);
    const before = await lastUsedAt();
    await request('POST', '/v1/audits', { project: 'open' });
    t.ok((await lastUsedAt()) > before);
    await isSeen(visited.page);
    await isSeen(environments.page);
    await visited.page.goto(`${url}?project=open&port=${port}`);
    await isSeen(visited.page);
    await visited.page.getByRole('button', { name: 'Probe now' }).click();
    await until(async () => (await request('GET', `/v1/allocations/${id}/health-checks`)).body.items.length === 3);
    await row(visited.page, 'api')
      .locator(`time[datetime="${await lastUsedAt()}"]`)
      .waitFor();
    for (const one of [visited, environments]) assertClean(t, one);
  });

  await t.test('who listens is looked up while the page is seen', async (t) => {
    const visited = await visit(t, browser, 'about:blank');
    const { page } = visited;
    await page.clock.install();
    await page.goto(`${url}?project=open`);
    await page.getByText('Live', { exact: true }).waitFor();
    const of = row(page, 'web').getByText('node', { exact: true });
    t.equal(await of.count(), 0);
    // The service's own list may be two seconds old, so that what the page would read of it too early is the old one.
    const isListed = async () =>
      (await request('GET', '/v1/listeners?limit=1000')).body.items.some(
        (one: { port: number }) => one.port === web.port,
      );
    const process = await listenIn(t, folder, '127.0.0.1', web.port);
    await until(isListed);
    await page.clock.fastForward(20_000);
    await of.waitFor();
    await process.end();
    await until(async () => !(await isListed()));
    await page.clock.fastForward(20_000);
    await of.waitFor({ state: 'detached' });
    assertClean(t, visited);
  });

  await t.test('cooldowns and reservations end at their time', async (t) => {
    const visited = await visit(t, browser, `${url}?view=map&project=open`);
    const { page } = visited;
    await page.getByText(/^2 of 100 held/).waitFor();
    const asked: string[] = [];
    page.on('request', (one) => asked.push(new URL(one.url()).search));
    const old = await hold('old');
    await page.getByText(/^3 of 100 held/).waitFor();
    await request('DELETE', `/v1/allocations/${old.id}`);
    await page.getByText(/^2 of 100 held/).waitFor();
    t.notOk(
      asked.some((query) => query.includes('cooling')),
      'nobody asks what cools down where nothing does',
    );
    await request('PATCH', `/v1/ranges/${START}`, { reuseCooldownSeconds: 5 });
    const cooling = await hold('old');
    await cell(page, `${cooling.port}, not checked yet, old`).waitFor();
    await request('DELETE', `/v1/allocations/${cooling.id}`);
    await cell(page, `${cooling.port}, cooling down`).waitFor();
    await cell(page, `${cooling.port}, free`).waitFor();

    const reserved = START + 9; // in a decade that is not folded when it is free again
    await request('POST', '/v1/projects/open/reservations', { ttlSeconds: 3, port: reserved, reservedBy: 'kim' });
    await cell(page, `${reserved}, reserved, kim`).waitFor();
    await cell(page, `${reserved}, free`).waitFor();
    assertClean(t, visited);
  });

  await t.test('a clock that is fast ends no reservation', async (t) => {
    const port = START + 8;
    const body = { ttlSeconds: 300, port, reservedBy: 'kim' };
    const { id } = (await request('POST', '/v1/projects/open/reservations', body)).body;
    const visited = await visit(t, browser, 'about:blank');
    const { page } = visited;
    await page.clock.install({ time: Date.now() + 600_000 });
    await page.goto(`${url}?view=reservations&project=open`);
    await page.getByText('Live', { exact: true }).waitFor();
    const again = page.waitForResponse(/reservations/);
    await page.clock.fastForward(11_000);
    await again;
    await page.getByRole('button', { name: `Renew the reservation of ${port}` }).waitFor();
    await page.getByText(/^1 active reservation of open/).waitFor();
    await request('DELETE', `/v1/reservations/${id}`);
    await page.getByText('Nothing is reserved.').waitFor();
    assertClean(t, visited);
  });

  await t.test('a list that takes long is read less often', async (t) => {
    const visited = await visit(t, browser, 'about:blank');
    const { page } = visited;
    await page.clock.install();
    await page.goto(`${url}?view=map&project=open`);
    await page.getByText('Live', { exact: true }).waitFor();
    let read = 0;
    await page.route('**/v1/ranges?*', async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      read++;
      await route.continue();
    });
    const change = async (service: string) => {
      await hold(service);
      await page.locator(`.cell[aria-label$=", ${service}"]`).waitFor();
    };
    await change('first');
    await page.clock.fastForward(2000);
    await until(() => read === 1);
    await page.getByText(/^3 of 100 held/).waitFor();
    await request('DELETE', '/v1/projects/open/services/first');
    await change('next');
    await page.clock.fastForward(10_000);
    t.equal(read, 1, 'not within ten times of what it took');
    await page.clock.fastForward(12_000);
    await until(() => read === 2);
    assertClean(t, visited);
  });

  await t.test('no answer is told from a mistake of the page, which the console has', async (t) => {
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page.getByText('Live', { exact: true }).waitFor();
    await page.route('**/v1/environments?*', (route) => route.abort());
    await page.getByRole('link', { name: 'Environments' }).click();
    await page.getByText(/^The registry does not answer\./).waitFor();
    assertClean(t, visited);
    await page.unroute('**/v1/environments?*');
    await page.route('**/v1/environments?*', (route) => route.fulfill({ json: { items: null, nextCursor: null } }));
    await page.getByRole('combobox', { name: 'Used' }).selectOption('7');
    await page.getByText('This page has failed. Load it again.').waitFor();
    await until(() => visited.problems.length > 0);
    t.match(visited.problems, [/iterable/]);
  });
});
