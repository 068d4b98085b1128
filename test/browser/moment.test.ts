// The past: what was held at a moment, and what was released.
import { sql } from 'kysely';
import t from 'tap';
import { assertAccessible, SOME } from '../helpers/accessible.js';
import { assertClean, openBrowser, visit } from '../helpers/browser.js';
import { serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { tabTo, untilFocused } from '../helpers/keyboard.js';

const UTC = { timezoneId: 'UTC' };

t.test('the past', async (t) => {
  const browser = await openBrowser(t);
  const database = await openPostgres(t);
  const { url, request } = await serve(t, database);
  const allocate = (project: string, service: string, query = '') =>
    request('PUT', `/v1/projects/${project}/services/${service}${query}`, {});
  await allocate('odin', 'old');
  await allocate('odin', 'kept');
  await allocate('consilio', 'web', '?host=build-1');
  await request('DELETE', '/v1/projects/odin/services/old');
  await sql`update port_allocations set allocated_at = timestamptz '2026-01-10T08:00Z'`.execute(database.db);
  await sql`update port_allocations set released_at = timestamptz '2026-02-01T12:00Z' where service = 'old'`.execute(
    database.db,
  );
  await allocate('odin', 'new');
  const address = `${url}?view=moment`;
  const THEN = '2026-01-20T09:30:00.000Z';
  const atThen = `${address}&at=${encodeURIComponent(THEN)}`;

  await t.test('is what was held at the moment that was chosen, which the address keeps', async (t) => {
    const visited = await visit(t, browser, url, UTC);
    const { page } = visited;
    const names = async () =>
      (await page.locator('.data-table tbody tr').allInnerTexts()).map((text) =>
        text.split(/\s+/).slice(0, 2).join(' '),
      );
    await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'The past' }).click();
    await page.getByText('Choose a moment, or one of these:').waitFor();
    await page.getByRole('textbox', { name: 'Moment' }).fill('2026-01-20T09:30');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByRole('heading', { name: 'What was held on 20 Jan 2026, 09:30' }).waitFor();
    t.equal(page.url(), atThen);
    await page.getByText('3 ports of all projects on every host, TCP and UDP.').waitFor();
    t.same(await names(), ['3100 web', '3300 old', '3301 kept']);
    const old = page.getByRole('row', { name: /^3300/ });
    t.match((await old.innerText()).replace(/\s+/g, ' '), '10 Jan 2026, 08:00 1 Feb 2026, 12:00');
    await page.getByText('This is the past. It does not follow changes, and nothing can be done with it.').waitFor();

    await page.getByLabel('Project').selectOption('odin');
    await page.getByText('2 ports of odin on every host').waitFor();
    await page.getByRole('button', { name: 'Port', exact: true }).click();
    await page.getByRole('button', { name: 'Port', exact: true }).click();
    t.same(await names(), ['3301 kept', '3300 old']);
    await page.reload();
    await page.getByText('2 ports of odin on every host').waitFor();
    t.same(await names(), ['3301 kept', '3300 old'], 'the same after a reload');
    t.equal(await page.getByRole('textbox', { name: 'Moment' }).inputValue(), '2026-01-20T09:30');
    for (let back = 0; back < 3; back++) await page.goBack();
    await page.getByText('3 ports of all projects on every host').waitFor();
    t.equal(page.url(), atThen);
    assertClean(t, visited);
  });

  await t.test('offers no action, and stays as it was while others change things', async (t) => {
    const visited = await visit(t, browser, atThen, UTC);
    const { page } = visited;
    await page.getByText('3 ports of all projects').waitFor();
    const table = page.locator('.data-table');
    const before = await table.innerText();
    t.equal(await table.locator('tbody :is(button, input)').count(), 0);
    let readings = 0;
    page.on('request', (sent) => {
      if (sent.url().includes('at=2026')) readings++;
    });
    // What follows the feed is read a second after the events.
    const followed = page.waitForResponse((response) => response.url().includes('/v1/ranges'));
    await request('DELETE', '/v1/projects/odin/services/kept');
    await request('PUT', '/v1/projects/odin/environments/x', { services: [{ service: 'more' }] });
    await followed;
    t.equal(await table.innerText(), before);
    t.equal(readings, 0, 'it was not read again');
    assertClean(t, visited);
  });

  await t.test('is what was released, chosen by the keyboard alone', async (t) => {
    const visited = await visit(t, browser, address, UTC);
    const { page } = visited;
    await page.getByText('Choose a moment').waitFor();
    await tabTo(page, 'Show');
    await page.keyboard.press('ArrowDown');
    await page.getByRole('heading', { name: 'What was released' }).waitFor();
    t.equal(page.url(), `${address}&show=released`);
    await page.getByText('2 ports of all projects').waitFor();
    await page.getByRole('row', { name: /^3300 old odin default localhost/ }).waitFor();
    await untilFocused(page, 'Show');
    await page.keyboard.press('ArrowUp');
    await page.getByText('Choose a moment').waitFor();
    await tabTo(page, 'A day ago');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /^What was held on/ }).waitFor();
    t.match(page.url(), /&at=\d{4}-/);
    await page.goBack();
    await page.getByText('Choose a moment').waitFor();
    assertClean(t, visited);
  });

  await t.test('says so where the address has no moment, or one that is to come', async (t) => {
    const visited = await visit(t, browser, `${address}&at=x`, UTC);
    const { page } = visited;
    await page.getByRole('alert').getByText('That is no moment. Choose a day and a time.').waitFor();
    await page.goto(`${address}&at=2999-01-01T00:00:00Z`);
    await page.getByRole('alert').getByText('That moment has not come yet. Choose an earlier one.').waitFor();
    await page.goto(`${address}&at=2001-01-01T00:00:00Z`);
    await page.getByText('Nothing was held then').waitFor();
    assertClean(t, visited);
  });

  await t.test('is accessible in both themes on every width', async (t) => {
    const visited = await visit(t, browser, atThen, UTC);
    const { page } = visited;
    await page.getByText('3 ports of all projects').waitFor();
    await assertAccessible(t, page, 'what was held then');
    await page.goto(address);
    await page.getByText('Choose a moment').waitFor();
    await assertAccessible(t, page, 'choosing a moment', SOME);
    assertClean(t, visited);
  });
});
