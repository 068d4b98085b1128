// What a page offers by what its own key may do: GET /v1/caller tells it.
import { sql } from 'kysely';
import type { Page } from 'playwright-core';
import t from 'tap';
import { assertClean, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, PROBED, serve } from '../helpers/dashboard.js';
import { asAdmin, enterKey } from '../helpers/dashboard-keys.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN, ADMIN_KEY, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { listen } from '../helpers/listeners.js';
import { until } from '../helpers/until.js';

/** What the palette offers for these words under a heading. */
async function offeredFor(page: Page, words: string, heading = 'Actions'): Promise<string[]> {
  await page.keyboard.press('Control+k');
  const field = page.getByRole('combobox', { name: 'What to go to, or to do' });
  await field.fill(words);
  const names = await page.getByRole('group', { name: heading }).locator('.palette-name').allInnerTexts();
  await page.keyboard.press('Escape');
  await field.waitFor({ state: 'detached' }); // else the next Ctrl-K may come before, and close it
  return names;
}

t.test('a key', async (t) => {
  const browser = await openBrowser(t);
  const database = await openPostgres(t);
  const { url, request } = await serve(t, database, WITH_KEYS);
  await fillRegistry(asAdmin(request));

  t.test('is offered nothing that it may not do', async (t) => {
    await request('POST', '/v1/audits', { unallocated: true }, ADMIN);
    await request('POST', '/v1/webhooks', { url: 'http://localhost:3105/events' }, ADMIN);
    const reader = await makeKey(request, 'reader');
    const visited = await visit(t, browser, `${url}?view=webhooks`);
    const { page } = visited;
    await enterKey(page, reader.key);
    await page.getByText('Ask whoever runs the registry for a key that may do it.').waitFor();
    t.equal(await page.getByRole('button', { name: 'Get a port' }).count(), 0);
    t.same(await offeredFor(page, 'new'), []);
    t.same(await offeredFor(page, 'contract'), ['Open the contract']);
    await page.goto(`${url}?port=3101`);
    const details = page.getByRole('dialog', { name: /3101/ });
    await details.getByText('Service', { exact: true }).waitFor();
    t.equal(await details.getByRole('button', { name: /Describe|Exclude|Release|Probe/ }).count(), 0);
    await page.goto(`${url}?port=3160`);
    await page.getByRole('dialog', { name: /3160/ }).getByText('Free').waitFor();
    t.equal(await page.getByRole('button', { name: /Get|Reserve|Exclude/ }).count(), 0);
    t.equal(await page.getByRole('button', { name: 'New webhook' }).count(), 0);
    await page.goto(`${url}?view=project&project=consilio`);
    await page.getByRole('row', { name: /^3100/ }).first().waitFor();
    t.equal(
      await page
        .locator('main')
        .getByRole('button', { name: /range|Get|Reserve|audit/ })
        .count(),
      0,
    );
    await page.goto(`${url}?view=findings`);
    await page.locator('.finding').first().waitFor();
    t.same(await page.locator('main .finding').getByRole('button').allInnerTexts(), []);
    t.equal(await page.locator('main').getByRole('checkbox').count(), 0);
    await page.goto(`${url}?view=audits`);
    await page.getByRole('row').nth(1).waitFor();
    t.equal(await page.getByRole('button', { name: 'Run an audit' }).count(), 0);
    await page.goto(`${url}?view=activity`);
    await page.locator('.events li').first().waitFor();
    t.equal(await page.locator('.events').getByText(/ key /).count(), 0, 'what admins do with keys');

    const project = await makeKey(request, 'project', 'consilio');
    await page.getByRole('button', { name: 'Forget the key' }).click();
    await enterKey(page, project.key);
    await page.goto(`${url}?view=findings&project=consilio`);
    await page.getByText('consilio, all hosts. Not checked yet.').waitFor(); // one of all projects is not for it
    await page.getByRole('button', { name: 'Run an audit' }).click();
    await page
      .getByRole('button', { name: /^Probe again / })
      .first()
      .waitFor();
    t.equal(await page.getByRole('button', { name: /^Exclude/ }).count(), 0);
    await page.goto(`${url}?view=keys`);
    await page.getByText('This key does not manage keys').waitFor();
    t.equal(await page.getByRole('button', { name: 'New key' }).count(), 0);
    await page.getByRole('button', { name: 'Use another key' }).click();
    await enterKey(page, ADMIN_KEY);
    await page.getByRole('row', { name: /^project consilio/ }).waitFor();
    assertClean(t, visited);
  });

  t.test('that does not see what others hold is not told that it is free', async (t) => {
    const visited = await visit(t, browser, `${url}?view=map`);
    const { page } = visited;
    await enterKey(page, (await makeKey(request, 'project', 'consilio')).key);
    await page.getByText(/^Every range of the projects that this key covers on localhost, TCP/).waitFor();
    t.same(await page.getByRole('article').getByRole('heading').allInnerTexts(), ['consilio']);
    t.equal(await page.getByRole('list', { name: 'Legend' }).getByText('Not visible').count(), 0);
    t.same(await page.getByRole('combobox', { name: 'Project' }).locator('option').allInnerTexts(), [
      'All',
      'consilio',
    ]);
    await page.goto(`${url}?q=3300&port=3300`);
    const details = page.getByRole('dialog', { name: /3300/ });
    await details.getByText('Somebody has it. This key does not cover odin').waitFor();
    t.match(await details.locator('.state').innerText(), /Not visible/);
    t.equal(await details.getByText(/Free|Nobody|No audit/).count(), 0);
    await page.getByText('3300 is in the range of odin, which this key does not cover.').waitFor();
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'What to go to, or to do' }).fill('3300');
    await page.getByRole('option', { name: '3300 not visible, of odin' }).waitFor();
    await page.goto(`${url}?port=3350`);
    await page.getByText('Nobody has it. This key does not cover odin').waitFor();
    assertClean(t, visited);
  });

  t.test('that is limited is offered its own projects and hosts', async (t) => {
    for (const port of [3140, 3190]) await listen(t, PROBED, port);
    await request('POST', '/v1/audits', { project: 'consilio', unallocated: true }, ADMIN);
    const limits = { name: 'ci', role: 'project', projects: ['consilio', 'not-there-yet'], hosts: ['build-7'] };
    const { body } = await request('POST', '/v1/api-keys', limits, ADMIN);
    const refused: string[] = [];
    const visited = await visit(t, browser, url);
    const { page } = visited;
    page.on('response', (response) => response.status() === 403 && refused.push(response.url()));
    await enterKey(page, body.key);
    const dialog = page.getByRole('dialog');
    const suggestions = async (label: string) => {
      const options = dialog.getByLabel(label).locator('xpath=following-sibling::datalist/option');
      return Promise.all((await options.all()).map((option) => option.getAttribute('value')));
    };
    await page.getByRole('button', { name: 'Get a port' }).first().click();
    t.same(await suggestions('Project'), ['consilio']);
    t.same(await suggestions('Host'), ['build-7']);
    await dialog.getByLabel('Project').fill('consilio');
    await dialog.getByLabel('Service').fill('probe');
    await dialog.getByLabel('Protocol').selectOption('UDP');
    await dialog.getByRole('button', { name: 'Get it' }).click();
    await page.getByText('consilio/probe has port 3100.').waitFor();
    await page.getByRole('heading', { name: '3100 build-7 UDP' }).waitFor();
    await page.getByRole('button', { name: 'Release' }).first().waitFor();
    t.equal(await page.getByRole('button', { name: 'Exclude it' }).count(), 0);

    for (const view of ['findings', 'audits', 'activity']) {
      await page.goto(`${url}?view=${view}`);
      const names = page.getByRole('combobox', { name: 'Project' }).locator('option');
      await until(async () => (await names.allTextContents()).slice(1).join() === 'consilio');
    }
    await page.goto(`${url}?view=reservations&project=consilio`); // on a host on which it takes none
    const reserved = page.getByRole('row', { name: /^3140/ });
    await reserved.waitFor();
    t.same(await reserved.getByRole('button').allInnerTexts(), ['Cancel']);
    t.same(await offeredFor(page, '3140', 'Port 3140'), ['Cancel the reservation of 3140']);
    await page.goto(`${url}?q=3140`);
    await page.getByRole('button', { name: /^Actions for 3140/ }).click();
    await page.getByRole('button', { name: 'Cancel the reservation' }).waitFor();
    t.equal(await page.getByRole('button', { name: /^(Claim|Renew)/ }).count(), 0);
    await page.goto(`${url}?view=findings`);
    await page.getByText(/^The projects that this key covers, all hosts\. Checked .* by ADMIN_API_KEY\.$/).waitFor();
    const found = (port: number) => page.locator('.finding').filter({ hasText: String(port) });
    t.same(await found(3140).getByRole('button').allInnerTexts(), ['Cancel']);
    t.same(await found(3190).getByRole('button').allInnerTexts(), []);
    await page.goto(`${url}?port=3190`); // of that host too
    await page.getByText(/^Checked .*, the projects that this key covers on all hosts/).waitFor();
    await page.getByRole('dialog', { name: /3190/ }).getByText('In conflict').waitFor();
    t.equal(await page.getByRole('button', { name: 'Allocate it to…' }).count(), 0);
    await page.goto(`${url}?port=3160`);
    await page.getByRole('dialog', { name: /3160/ }).getByText('Free').waitFor();
    t.equal(await page.getByRole('button', { name: /Get this|Reserve it/ }).count(), 0);
    t.same(await offeredFor(page, 'new'), ['New webhook', 'Get a port', 'Get a stack']);
    await page.goto(`${url}?view=webhooks&dialog=new-webhook`);
    const choices = dialog.getByRole('group', { name: 'Projects' }).locator('label');
    await until(async () => (await choices.allTextContents()).join() === limits.projects.join());
    t.equal(await dialog.getByLabel('Projects without a range yet').count(), 0);
    await page.keyboard.press('Escape');

    await page.goto(`${url}?view=projects&host=build-7`);
    const offered = async () => (await offeredFor(page, 'get 3160', 'Port build-7:3160')).length;
    await until(async () => (await offered()) === 1);
    await sql`update api_keys set projects = '{odin}' where id = ${body.id}`.execute(database.db);
    await until(async () => (await offered()) === 0);
    t.same(refused, [], 'nothing was asked for that is refused');
    assertClean(t, visited);
  });
});
