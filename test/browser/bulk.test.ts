// What can be done with rows of the table of services: one, or many at a time.
import t from 'tap';
import { assertClean, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { portsOf } from '../helpers/services-table.js';

const CLIPBOARD = { permissions: ['clipboard-read', 'clipboard-write'] };

t.test('rows of the table of services', async (t) => {
  const browser = await openBrowser(t);
  const { url, request } = await serve(t, await openPostgres(t));
  await fillRegistry(request);

  t.test('are selected one by one, from one to another, by project and all', async (t) => {
    const visited = await visit(t, browser, url);
    const { page } = visited;
    const row = (port: number) => page.getByRole('checkbox', { name: `Select ${port},` });
    const selected = (count: number) =>
      page.getByRole('status').getByText(`${count} selected`, { exact: true }).waitFor();
    await row(3101).check();
    await selected(1);
    await row(3104).click({ modifiers: ['Shift'] });
    await selected(4);
    await row(3102).uncheck();
    await selected(3);
    await page.getByRole('checkbox', { name: 'Select all of consilio' }).check();
    await selected(18);
    await page.getByRole('combobox', { name: 'Project' }).selectOption('odin');
    await page.getByText('18 selected, 18 of them not shown').waitFor();
    await page.getByRole('checkbox', { name: 'Select all that is shown' }).check();
    await page.getByText('22 selected, 18 of them not shown').waitFor();
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByText('Showing 5 of 220').waitFor();
    assertClean(t, visited);
  });

  t.test('are released together after a confirmation, and taken back', async (t) => {
    const visited = await visit(t, browser, `${url}?project=quiculum-monitor`);
    const { page } = visited;
    const held = async () => (await request('GET', '/v1/allocations?project=quiculum-monitor')).body.items;
    await page.getByRole('checkbox', { name: 'Select all of quiculum-monitor' }).check();
    await page.getByRole('button', { name: 'Release', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Release 2 ports?' });
    t.same(
      (await dialog.getByRole('listitem').allInnerTexts()).map((text) => text.slice(0, 26)),
      ['3500 quiculum-monitor/coll', '3501 quiculum-monitor/dash'],
    );
    await dialog.getByRole('button', { name: 'Keep them' }).click();
    t.equal((await held()).length, 2);
    await page.getByRole('button', { name: 'Release', exact: true }).click();
    await dialog.getByRole('button', { name: 'Release 2 ports' }).click();
    await page.getByText('2 ports were released.').waitFor();
    await page.getByText('Nothing that is held or reserved is like this.').waitFor();
    t.not(await page.evaluate('document.activeElement.tagName'), 'BODY', 'the focus is not lost');
    t.same(await held(), []);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('2 ports of 2 are held again.').waitFor();
    await page.getByRole('checkbox', { name: 'Select 3501,' }).waitFor();
    t.same(await portsOf(page), ['3500', '3501']);
    assertClean(t, visited);
  });

  t.test('are described together', async (t) => {
    const visited = await visit(t, browser, `${url}?q=staging&columns=port,type,description`);
    const { page } = visited;
    await page.getByRole('checkbox', { name: 'Select all that is shown' }).check();
    await page.getByRole('button', { name: 'Describe' }).click();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Enter a type or a description.').waitFor();
    await page.getByLabel('Description').fill('Until the release');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('6 ports are described.').waitFor();
    const { items } = (await request('GET', '/v1/allocations?environment=staging')).body;
    for (const { serviceType, description } of items) t.same([serviceType, description], [null, 'Until the release']);
    t.equal(await page.getByRole('cell', { name: 'Until the release' }).count(), 6);
    assertClean(t, visited);
  });

  t.test('are copied as numbers, addresses and lines', async (t) => {
    const visited = await visit(t, browser, `${url}?q=odin`, CLIPBOARD);
    const { page } = visited;
    const copied = () => page.evaluate('navigator.clipboard.readText()');
    await page.getByRole('button', { name: 'Actions for 3303, odin/index-2' }).click();
    for (const [label, expected] of [
      ['the number', '3303'],
      ['the URL', 'http://localhost:3303'],
      ['the .env line', 'INDEX_2_PORT=3303'],
      ['the curl line', `curl -fsS -X PUT '${url}v1/projects/odin/services/index-2'`],
      ['the pa line', 'pa port index-2 --project odin --environment default'],
    ] as const) {
      await page.getByRole('button', { name: `Copy ${label}`, exact: true }).click();
      t.equal(await copied(), expected);
    }
    await page.keyboard.press('Escape');
    await page.getByRole('combobox', { name: 'Host' }).selectOption('localhost');
    await page.getByRole('checkbox', { name: 'Select all that is shown' }).check();
    await page.getByRole('button', { name: 'Copy .env lines' }).click();
    const { text } = await request('GET', '/v1/exports/dotenv?project=odin&host=localhost');
    t.equal(await copied(), text, 'as the export has them');
    assertClean(t, visited);
  });

  t.test('are worked with by the keyboard alone', async (t) => {
    const visited = await visit(t, browser, `${url}?project=odin`);
    const { page } = visited;
    const focused = () => page.evaluate('document.activeElement.ariaLabel ?? document.activeElement.textContent');
    await page.getByRole('button', { name: 'Actions for 3301, odin/query' }).focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    t.equal(await focused(), 'Details');
    for (let i = 0; i < 6; i += 1) await page.keyboard.press('Tab');
    t.equal(await focused(), 'Describe');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Describe port 3301' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    t.equal(await focused(), 'Actions for 3301, odin/query', 'the focus is back');
    await page.keyboard.press('Enter');
    for (let i = 0; i < 8; i += 1) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Release port 3301?' }).waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('Port 3301 was released.').waitFor();
    await page.getByRole('link', { name: 'query' }).waitFor({ state: 'detached' });
    t.not(await page.evaluate('document.activeElement.tagName'), 'BODY');
    assertClean(t, visited);
  });
});
