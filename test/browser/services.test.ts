// The table of services: what people see first.
import t from 'tap';
import { assertAccessible } from '../helpers/accessible.js';
import { assertClean, openBrowser, visit } from '../helpers/browser.js';
import { fillLarge, fillRegistry, runServices, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { namesOf, portsOf } from '../helpers/services-table.js';

/** The rows whose lines are higher than they are. */
const CUT_ROWS = `[...document.querySelectorAll('tr.port')]
  .filter((row) => row.scrollHeight > row.clientHeight)
  .map((row) => row.innerText)`;

t.test('the table of services', async (t) => {
  const browser = await openBrowser(t);
  const { url, request } = await serve(t, await openPostgres(t));
  await fillRegistry(request);
  const startServices = () => runServices(t, request); // they listen for the tests that follow, too

  t.test('is grouped by project, and sorted, filtered and cut to columns by its address', async (t) => {
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page
      .getByRole('row', { name: /^Select all of consilio consilio 18 of 100 held on localhost, TCP/ })
      .waitFor();
    t.equal(
      await page.getByRole('table').getAttribute('aria-rowcount'),
      '228',
      'with seven heads of groups and its own',
    );

    await page.getByRole('combobox', { name: 'Project' }).selectOption('odin');
    await page.getByText('Showing 5 of 220').waitFor();
    t.same(await namesOf(page), ['ingest', 'ingest', 'query', 'index-2', 'search']);
    await page.getByRole('button', { name: 'Service' }).click();
    await page.getByRole('button', { name: 'Service' }).click();
    await page.locator('th[aria-sort="descending"]').getByText('Service').waitFor();
    t.same(await namesOf(page), ['search', 'query', 'ingest', 'ingest', 'index-2']);
    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByRole('checkbox', { name: 'Hostname' }).check();
    await page.getByRole('checkbox', { name: 'Age' }).uncheck();
    await page.keyboard.press('Escape');
    await page.getByRole('checkbox', { name: 'By project' }).uncheck();
    await page.reload();
    await page.getByRole('columnheader', { name: 'Hostname' }).waitFor();
    t.equal(await page.getByRole('columnheader', { name: 'Age' }).count(), 0);
    t.same(await namesOf(page), ['search', 'query', 'ingest', 'ingest', 'index-2']);
    t.equal(await page.getByRole('row', { name: /of 100 held/ }).count(), 0);
    await page.goBack();
    await page.getByRole('row', { name: /of 100 held/ }).waitFor();
    await page.getByRole('button', { name: 'Show everything' }).click();
    await page.getByText('220 ports, held or reserved').waitFor();

    await page.getByRole('searchbox', { name: 'Search' }).fill('3155');
    await page.getByText('3155 is free on localhost, TCP, in the range of consilio.').waitFor();
    await page.getByRole('link', { name: '3155' }).click();
    await page.getByRole('heading', { name: /^3155/ }).waitFor();
    await page.getByRole('searchbox', { name: 'Search' }).fill('8080');
    await page.getByText('8080 is in no range').waitFor();
    assertClean(t, visited);
  });

  t.test('has figures that filter it, and says what was not checked', async (t) => {
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page.getByRole('button', { name: /^Stopped –.*not checked yet/ }).waitFor();
    await page.getByRole('button', { name: /^In conflict –.*not checked yet/ }).waitFor();
    await page.getByText('Not checked yet, all projects on all hosts.').waitFor();
    await page.getByRole('button', { name: /^Full or nearly full 2 on localhost, TCP: health-agent \(full\)/ }).click();
    await page.getByText('Showing 184 of 220').waitFor();
    await startServices();
    await page.getByRole('button', { name: 'Run an audit' }).click();
    t.match(await page.getByText(/^Checked/).innerText(), /^Checked (now|\d+ seconds? ago), all projects on all hosts/);
    await page.getByRole('button', { name: /^Stopped 1 on all hosts: consilio/ }).click();
    await page.getByText('Showing 1 of 220').waitFor();
    t.same(await portsOf(page), ['3104']);
    await page.getByRole('button', { name: /^In conflict 2 on all hosts: 1 port with an uninvited/ }).click();
    await page.getByText('1 conflict more is on ports that nobody has.').waitFor();
    t.same(await portsOf(page), ['3320']);
    await page.getByRole('combobox', { name: 'Project' }).selectOption('odin');
    await page.getByRole('button', { name: /^In conflict 1 odin on all hosts/ }).waitFor();
    t.equal(await page.getByText('on ports that nobody has').count(), 0, 'that one is of another project');
    await page.getByRole('combobox', { name: 'Project' }).selectOption('consilio');
    await page.getByText('1 conflict more is on ports that nobody has.').waitFor();
    await page.getByRole('link', { name: 'Show all findings' }).click();
    await page.getByText(/^consilio, all hosts\. Checked/).waitFor();
    assertClean(t, visited);
  });

  t.test('has only the rows in sight in the document, and keeps the focus', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    await fillLarge(request, 60, 5000);
    const visited = await visit(t, browser, url);
    const { page } = visited;
    const lines = 60 * 84 + 60 + 1;
    const link = page.getByRole('link', { name: 'service-3', exact: true }).first();
    await link.focus();
    const project = await page.locator('tr.group a').first().innerText();
    t.equal(await page.getByRole('table').getAttribute('aria-rowcount'), String(lines));
    t.ok((await page.locator('tbody tr').count()) < 60);
    await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)');
    await page.locator(`tr[aria-rowindex="${lines}"]`).waitFor();
    t.ok((await page.locator('tbody tr').count()) < 60);
    t.equal(await page.evaluate('document.activeElement.textContent'), 'service-3', 'the row with the focus stays');
    await page.evaluate('scrollTo(0, 0)');
    await page.locator('tr[aria-rowindex="6"]').waitFor();
    await request('DELETE', `/v1/projects/${project}/services/service-3`);
    await page.locator(`table[aria-rowcount="${lines - 1}"]`).waitFor();
    const row = await page.evaluate("document.activeElement.closest('tr')?.ariaRowIndex");
    t.equal(row, '5', 'when it is gone, the row in its place has the focus');
    assertClean(t, visited);
  });

  t.test('is accessible in both themes, on every screen', async (t) => {
    await request('POST', '/v1/audits', { unallocated: true });
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page.getByRole('checkbox', { name: 'Select 3100, consilio/api' }).check();
    await assertAccessible(t, page, 'the table');
    await page.setViewportSize({ width: 360, height: 900 });
    await page.locator('.services-table.folded').waitFor();
    t.same(await page.evaluate(CUT_ROWS), [], 'a row on a phone shows all its lines');
    await page.getByRole('button', { name: 'Actions for 3100, consilio/api' }).click();
    await assertAccessible(t, page, 'the actions of a row', undefined, [['tr.port > :not(:has(:popover-open))']]);
    assertClean(t, visited);
  });
});
