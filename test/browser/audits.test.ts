// Audits: run from the page and by others, kept, and what the page says of what was not checked.
import { sql } from 'kysely';
import type { Page } from 'playwright-core';
import t from 'tap';
import { assertAccessible, SOME } from '../helpers/accessible.js';
import { assertClean, hasFocus, openBrowser, visit } from '../helpers/browser.js';
import { fillLarge, PROBED, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { listen, openBlackHole } from '../helpers/listeners.js';

/** More findings of one kind than the page could have in its document without a stall. */
const MANY = 3000;
/** For two cores that are busy with other things too. */
const NO_STALL_MS = 2000;

t.test('audits', async (t) => {
  const browser = await openBrowser(t);
  const database = await openPostgres(t);
  // One probe at a time, and none gives up, so that an audit stands still where something listens and never accepts.
  const { url, request } = await serve(t, database, {
    PROBE_CONCURRENCY: '1',
    PROBE_TIMEOUT_MS: '60000',
    LOCK_TIMEOUT_MS: '60000',
    REQUEST_TIMEOUT_MS: '120000',
  });
  for (const project of ['consilio', 'odin']) {
    const services = ['api', 'web', 'db'].map((service) => ({ service }));
    await request('PUT', `/v1/projects/${project}/environments/default`, { services });
  }
  for (const port of [3100, 3300]) await listen(t, PROBED, port);

  await t.test('are run and stopped by the keyboard alone, and tell how far they are', async (t) => {
    await openBlackHole(t, PROBED, 3150); // it waits there until it is stopped
    const visited = await visit(t, browser, `${url}?view=audits`);
    const { page } = visited;
    await page.getByText('No audit is kept that covers this.').waitFor();
    const run = page.getByRole('button', { name: 'Run an audit' });
    const stop = page.getByRole('button', { name: 'Stop', exact: true });
    await run.focus();
    await page.keyboard.press('Enter');
    await page.getByText(/^Checking all projects on all hosts: [\d,]+ of [\d,]+ ports$/).waitFor();
    const progress = page.getByRole('progressbar', { name: 'Progress of the audit' });
    t.ok(Number(await progress.getAttribute('value')) < Number(await progress.getAttribute('max')));
    await page.getByRole('status').getByText('The audit has begun.').waitFor();
    t.equal(await hasFocus(stop), true, 'the same button stops it');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('The audit was not finished. Stopped before it was done.').waitFor();
    t.equal(await hasFocus(run), true);
    await page.goto(url);
    await page.getByText('Not checked yet, all projects on all hosts.').waitFor();
    assertClean(t, visited);
  });

  await t.test('of one project say nothing of others', async (t) => {
    const visited = await visit(t, browser, `${url}?view=audits&project=consilio`);
    const { page } = visited;
    await page.getByText('Those that cover consilio, all hosts, newest first.').waitFor();
    await page.getByRole('button', { name: 'Run an audit' }).click();
    const row = page.getByRole('row', { name: /consilio, free ports too somebody without a key 100 1 2 33.33 % 2/ });
    await row.waitFor();
    await page.getByRole('status').getByText('The audit is done.').waitFor();
    const audits = page.url();
    await row.getByRole('link').first().click();
    await page.getByRole('heading', { name: /^Audit of / }).waitFor();
    t.match(page.url(), /audit=[0-9a-f-]{36}$/);
    await page.reload();
    await page
      .getByRole('region', { name: /^Not running/ })
      .getByRole('row', { name: /^3101 consilio\/web/ })
      .waitFor();
    await page.getByRole('link', { name: 'All audits' }).click();
    await row.waitFor();
    t.equal(page.url(), audits);
    await page.goBack();
    await page.getByRole('link', { name: 'What is still so' }).click();
    await page.getByText(/^consilio, all hosts\. Checked .*, by somebody without a key\.$/).waitFor();
    t.same(await tile(page, 'Not running'), ['2', '']);
    t.same(await tile(page, 'Uninvited'), ['0', '']);
    await page.getByLabel('Project').selectOption('odin');
    await page.getByText('odin, all hosts. Not checked yet.').waitFor();
    t.same(await tile(page, 'Not running'), ['–', 'not checked yet'], 'never 0 where nobody has looked');
    await page.getByLabel('Project').selectOption('');
    await page.getByText(/^All projects, all hosts\. Checked .*, and parts of it not yet\.$/).waitFor();
    t.same(await tile(page, 'Uninvited'), ['0', 'not checked everywhere yet']);
    await page.goto(url);
    await page
      .getByText(/^Checked (now|\d+ seconds? ago), all projects on all hosts; not checked yet: odin\.$/)
      .waitFor();
    const reserved = await request('POST', '/v1/projects/health-agent/reservations', { ttlSeconds: 900 });
    await page.getByText(/; not checked yet: odin, health-agent\.$/).waitFor();
    await request('DELETE', `/v1/reservations/${reserved.body.id}`);
    await page.getByText(/; not checked yet: odin\.$/).waitFor();
    await page.goto(`${url}?view=audits&project=odin`);
    await page.getByText('No audit is kept that covers this.').waitFor();
    assertClean(t, visited);
  });

  await t.test('of everything, with their time and scope, are seen at once by whoever looks', async (t) => {
    const visited = await visit(t, browser, url);
    const { page } = visited;
    const other = await visit(t, browser, `${url}?view=findings`);
    await other.page.getByRole('button', { name: 'Not running 2', exact: false }).waitFor();
    await listen(t, PROBED, 3199);
    await page.getByRole('button', { name: 'Run an audit' }).click();
    await page.getByText(/^Checked (now|\d+ seconds? ago), all projects on all hosts\.$/).waitFor();
    await page.getByRole('button', { name: /^In conflict 1/ }).waitFor();
    await other.page.getByText(/^All projects, all hosts\. Checked .*, by somebody without a key\.$/).waitFor();
    t.same(await tile(other.page, 'Not running'), ['4', '']);
    t.same(await tile(other.page, 'Uninvited'), ['1', '']);
    await page.reload();
    await page.getByRole('button', { name: /^In conflict 1/ }).waitFor();
    for (const one of [visited, other]) assertClean(t, one);
  });

  await t.test('are shown soon, also where reading the one before has failed', async (t) => {
    const visited = await visit(t, browser, `${url}?view=findings`);
    const { page } = visited;
    await page.getByRole('button', { name: /^Uninvited 1/ }).waitFor();
    let failed = 0;
    await page.route('**/v1/audits?*', (route) => {
      failed += 1;
      return route.abort();
    });
    const isTried = page.waitForEvent('requestfailed');
    await request('POST', '/v1/audits', { unallocated: true });
    await isTried;
    await page.unroute('**/v1/audits?*');
    t.equal(failed, 1);
    await request('POST', '/v1/audits', { unallocated: true });
    await page.getByRole('button', { name: /^Uninvited 0/ }).waitFor({ timeout: 7000 }); // and not 10 s later
    assertClean(t, visited);
  });

  await t.test('of a schedule cover everything where only this machine is used', async (t) => {
    const before = await visit(t, browser, url);
    await before.page.getByText(/^Checked .*, all projects on all hosts\.$/).waitFor();
    const { id } = (await request('POST', '/v1/audits', { unallocated: true })).body;
    // So the service keeps an audit of its schedule: it probes free ports on its own machine.
    await sql`update port_audits set unallocated = false where id = ${id}`.execute(database.db);
    for (let i = 0; i < 3; i++) await request('POST', '/v1/audits', { project: 'odin' });
    const { page } = await visit(t, browser, 'about:blank');
    let read = 0;
    page.on('request', (one) => {
      if (new URL(one.url()).pathname === '/v1/audits') read += Number(new URL(one.url()).searchParams.get('limit'));
    });
    await page.goto(url);
    await page.getByRole('button', { name: /nothing listens uninvited$/ }).waitFor();
    t.equal(read, 4, 'none before it was read');
    const { checkedAt } = (await request('POST', '/v1/audits', { project: 'odin' })).body;
    const told = page.getByText(/^Checked (now|\d+ seconds? ago), some of it /);
    await told.locator(`time[datetime="${checkedAt}"]`).waitFor();
    t.equal(read, 6, 'none of those that were read is read again, but the one where they begin');
    assertClean(t, before);
  });

  await t.test('have further pages, each with an address', async (t) => {
    for (let i = 0; i < 26; i++) await request('POST', '/v1/audits', { project: 'odin' });
    const visited = await visit(t, browser, `${url}?view=audits`);
    const { page } = visited;
    const rows = page.getByRole('row');
    await rows.nth(25).waitFor();
    t.equal(await rows.count(), 26);
    await page.getByRole('link', { name: 'Older audits' }).click();
    await page.getByRole('row', { name: /consilio, free ports too/ }).waitFor();
    t.match(page.url(), /cursor=/);
    await page.reload();
    await page.getByRole('row', { name: /consilio, free ports too/ }).waitFor();
    await page.getByRole('link', { name: 'Newest audits' }).click();
    await rows.nth(25).waitFor();
    await page.goBack();
    await page.getByRole('row', { name: /consilio, free ports too/ }).waitFor();
    await page.goto(`${url}?view=audits&audit=00000000-0000-4000-8000-000000000000`);
    await page.getByText('It was deleted for its age, or the link to it is wrong.').waitFor();
    assertClean(t, visited);
  });

  await t.test('are accessible in both themes, on every width', async (t) => {
    const visited = await visit(t, browser, `${url}?view=audits&host=localhost`);
    const { page } = visited;
    for (const view of ['list', 'one']) {
      if (view === 'one') await page.getByRole('row').nth(1).getByRole('link').first().click();
      await page.getByRole('row').nth(1).waitFor();
      await assertAccessible(t, page, view, view === 'list' ? undefined : SOME);
    }
    assertClean(t, visited);
  });

  await t.test(`with ${MANY} findings of a kind do not stall the page`, async (t) => {
    const projects = Math.ceil(MANY / 90); // no range is full, because some numbers are excluded
    await fillLarge(request, projects, projects * 90);
    await request('POST', '/v1/audits', {});
    const visited = await visit(t, browser, `${url}?view=findings&kind=not-running`);
    const { page } = visited;
    const items = page.locator('.finding');
    await page.getByRole('heading', { name: /^Not running 3,0\d\d$/ }).waitFor();
    t.equal(await items.count(), 50);
    const took = async (action: () => Promise<unknown>) => {
      const begin = performance.now();
      await action();
      await page.evaluate('new Promise((done) => requestAnimationFrame(() => setTimeout(done)))');
      return performance.now() - begin;
    };
    const more = page.getByRole('button', { name: /^Show all 3,0\d\d$/ });
    const shown = await took(() => more.click());
    t.ok(shown < NO_STALL_MS, `shown in ${Math.round(shown)} ms`);
    t.match(page.url(), /whole=not-running/);
    t.ok((await items.count()) < 60, 'those in sight');
    const scrolled = await took(() => page.evaluate('scrollTo(0, document.documentElement.scrollHeight)'));
    t.ok(scrolled < NO_STALL_MS, `scrolled in ${Math.round(scrolled)} ms`);
    const last = page.getByRole('checkbox', { name: /^Select \d+ on localhost$/ }).last();
    await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)');
    await last.check();
    t.match(await items.last().getAttribute('aria-posinset'), /^3\d{3}$/);
    await page.evaluate('scrollTo(0, 0)');
    t.equal(await hasFocus(last), true, 'what has the focus stays in the document');

    const selected = await took(() => page.getByLabel('Select all').check());
    t.ok(selected < NO_STALL_MS, `selected in ${Math.round(selected)} ms`);
    await page.getByRole('button', { name: /^Release 3,0\d\d ports$/ }).click();
    const dialog = page.getByRole('dialog', { name: /^Release 3,0\d\d ports\?$/ });
    await dialog.waitFor();
    await page.reload();
    await dialog.waitFor();
    t.ok(page.url().length < 2000, 'the address has all of them, and is not too long for a service');
    assertClean(t, visited);
  });
});

/** What a tile of the findings says: the number, and what it is not of. */
async function tile(page: Page, name: string): Promise<string[]> {
  const button = page.locator('.findings-tiles .tile').filter({ hasText: name });
  return [await button.locator('.tile-value').innerText(), await button.locator('.tile-more').innerText()];
}
