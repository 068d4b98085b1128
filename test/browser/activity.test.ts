// The activity: who did what, live, with filters and further pages.
import type { Page } from 'playwright-core';
import t from 'tap';
import { assertAccessible } from '../helpers/accessible.js';
import { assertClean, hasFocus, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { until } from '../helpers/until.js';

/** Where half of the screen of a small phone ends, in pixels. */
const HALF_OF_A_PHONE = 400;

t.test('the activity', async (t) => {
  const browser = await openBrowser(t);
  const database = await openPostgres(t);
  const { url, request } = await serve(t, database);
  await request('PUT', '/v1/projects/odin/services/first', {}, { 'user-agent': 'curl/8.5.0' });

  t.test('says who did what, links to it, and goes on live', async (t) => {
    const visited = await visit(t, browser, `${url}?view=activity`);
    const { page } = visited;
    await first(page, /^curl\/8\.5\.0 allocated 3300 to odin\/first\.\s*$/);
    await request('PUT', '/v1/projects/consilio/services/web', {}, { 'user-agent': 'ci/1' });
    await first(page, /^ci\/1 allocated 3100 to consilio\/web\.\s*$/);
    const { id } = (await request('GET', '/v1/projects/consilio/services/web')).body;
    await request('PATCH', `/v1/allocations/${id}`, { description: 'The <b>new</b> site' }, { 'user-agent': 'ci/1' });
    await first(
      page,
      /^ci\/1 changed the details of 3100, consilio\/web\.\s+description: nothing →, now The <b>new<\/b> site$/,
    );
    await page.locator('.events li').first().getByRole('link', { name: '3100' }).click();
    await page.getByRole('heading', { name: /3100/ }).waitFor();
    t.equal(page.url(), `${url}?view=activity&port=3100`);
    await page.goBack();
    await page.getByRole('button', { name: 'Get a port' }).click();
    await page.getByRole('combobox', { name: 'Project' }).last().fill('odin');
    await page.getByLabel('Service').last().fill('mine');
    await page.getByRole('button', { name: 'Get it' }).click();
    await first(page, /^Somebody in Chrome allocated 3301 to odin\/mine\.\s*$/);
    assertClean(t, visited);
  });

  t.test('is filtered by project, kind and person, in the address', async (t) => {
    await request('POST', '/v1/projects/odin/reservations', { ttlSeconds: 600, port: 3350 }, { 'user-agent': 'ci/1' });
    const visited = await visit(t, browser, `${url}?view=activity`);
    const { page } = visited;
    await first(page, /^ci\/1 reserved 3350 for odin until /);
    await page.getByRole('combobox', { name: 'Project', exact: true }).selectOption('consilio');
    await page.waitForURL(`${url}?view=activity&project=consilio`);
    await count(page, 3); // with that of its range
    await page.getByRole('combobox', { name: 'What', exact: true }).selectOption('Reservations');
    await page.getByText('No event was found that fits these filters.').waitFor();
    await page.goBack();
    await count(page, 3);
    await page.getByRole('combobox', { name: 'Project', exact: true }).selectOption('');
    await page.getByRole('combobox', { name: 'Who', exact: true }).selectOption('ci/1');
    await count(page, 3);
    t.equal(page.url(), `${url}?view=activity&who=anonymous%3Aci%2F1`);
    await page.reload();
    await count(page, 3);
    await request('PUT', '/v1/projects/consilio/services/other', {}, { 'user-agent': 'other/1' });
    await request('PUT', '/v1/projects/consilio/services/api', {}, { 'user-agent': 'ci/1' });
    await first(page, /consilio\/api/);
    await count(page, 4);
    await page.getByRole('button', { name: 'Show the events of all' }).click();
    await page.getByText('to consilio/other').waitFor();
    t.equal(page.url(), `${url}?view=activity`);
    assertClean(t, visited);
  });

  t.test('is filtered by the keyboard alone', async (t) => {
    const visited = await visit(t, browser, `${url}?view=activity`);
    const { page } = visited;
    await first(page, /consilio\/api/);
    const what = page.getByRole('combobox', { name: 'What', exact: true });
    await what.focus();
    await page.keyboard.type('Reserv');
    await page.waitForURL(`${url}?view=activity&type=reservations`);
    await count(page, 1);
    t.equal(await hasFocus(what), true);
    await page.keyboard.press('Tab');
    t.equal(await hasFocus(page.getByRole('combobox', { name: 'Who', exact: true })), true);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    t.equal(await hasFocus(page.getByLabel('Before')), true);
    await page.getByLabel('Before').fill('2001-01-01T00:00');
    await page.keyboard.press('Enter');
    await page.waitForURL(/before=\d+$/);
    await page.getByText('No event was found that fits these filters.').waitFor();
    const newest = page.getByRole('link', { name: 'Newest events' });
    await newest.focus();
    await page.keyboard.press('Enter');
    await count(page, 1);
    assertClean(t, visited);
  });

  t.test('has further pages, each with an address, that together have every event once', async (t) => {
    await fillRegistry(request);
    const visited = await visit(t, browser, `${url}?view=activity`);
    const { page } = visited;
    const texts: string[] = [];
    await count(page, 100);
    await page.getByText(/^The newest 100 events, back to .*New ones appear at the top\.$/).waitFor();
    for (;;) {
      texts.push(...(await page.locator('.events li > div').allInnerTexts()));
      const older = page.getByRole('link', { name: 'Older events' });
      if ((await older.count()) === 0) break;
      const address = await older.getAttribute('href');
      await older.click();
      await until(async () => (await page.locator(`.events-end a[href="${address}"]`).count()) === 0);
    }
    await page.getByText('These are all that are kept.').waitFor();
    const { items } = (await request('GET', '/v1/events?limit=1000')).body;
    t.equal(texts.length, items.length);
    t.match(texts.at(-1), /gave meta-supervisor the range 3000–3099/);
    t.equal(texts.filter((text) => /allocated 3100 to consilio\/web/.test(text)).length, 1);
    const last = page.url();
    await page.reload();
    await page.getByText('odin/first').waitFor();
    await page.goBack();
    await page.getByRole('link', { name: 'Older events' }).waitFor();
    await page.goForward();
    await page.getByText('odin/first').waitFor();
    t.equal(page.url(), last);
    await request('PUT', '/v1/projects/odin/services/unseen', {});
    await page.getByRole('link', { name: 'Newest events' }).click();
    await first(page, /odin\/unseen/);
    assertClean(t, visited);
  });

  t.test('is accessible in both themes, on every width, and events are seen at once on a phone', async (t) => {
    const visited = await visit(t, browser, `${url}?view=activity&project=consilio`);
    const { page } = visited;
    await first(page, /consilio/);
    await assertAccessible(t, page, 'the list');
    await page.setViewportSize({ width: 360, height: 2 * HALF_OF_A_PHONE });
    const filters = await page.locator('.activity-filters').boundingBox();
    t.ok((filters?.height ?? Number.POSITIVE_INFINITY) < HALF_OF_A_PHONE / 2, `${filters?.height} px of filters`);
    assertClean(t, visited);
  });
});

/** Waits until the newest event is told so. */
async function first(page: Page, text: RegExp): Promise<void> {
  await page.locator('.events li').first().locator('div').filter({ hasText: text }).waitFor();
}

/** Waits until so many events are shown. */
async function count(page: Page, events: number): Promise<void> {
  await until(async () => (await page.locator('.events ol > li').count()) === events);
}
