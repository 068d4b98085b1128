import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t from 'tap';
import { assertAccessible } from '../helpers/accessible.js';
import { assertClean, openBrowser, visit } from '../helpers/browser.js';
import { serve } from '../helpers/dashboard.js';
import { visitWithKey } from '../helpers/dashboard-keys.js';
import { openPostgres } from '../helpers/database.js';
import { focused, tabTo, untilFocused } from '../helpers/keyboard.js';
import { ADMIN, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { listenIn } from '../helpers/listeners.js';

/** What listens on this machine is listed, and not what an address of the test's has. */
const THIS_MACHINE = { PROBE_TARGETS: '' };
/** Of a range in which no other test listens. */
const [WEB, API, RESERVED, TAKEN] = [27_110, 27_120, 27_130, 27_140];
/** Of a folder: a word that is broken nowhere, and wider than a phone. */
const LONG_NAME = 'worktree'.repeat(10);
const SS = `State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process
LISTEN 0 511 0.0.0.0:27150 0.0.0.0:* users:(("grafana",pid=12,fd=3))
LISTEN 0 511 [::]:27150 [::]:* users:(("grafana",pid=12,fd=4))
LISTEN 0 1 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))
LISTEN 0 1 0.0.0.0:8080 0.0.0.0:* users:(("java",pid=1,fd=3))
LISTEN 0 1 0.0.0.0:27130 0.0.0.0:* users:(("vpn",pid=1,fd=3))
garbage
`;

const rowOf = (page: Page, port: number) => page.getByRole('row', { name: new RegExp(`^${port}\\b`) });
const textOf = async (page: Page, port: number) => (await rowOf(page, port).innerText()).replace(/\s+/g, ' ').trim();

t.test('the import', { skip: process.platform !== 'linux' }, async (t) => {
  const browser = await openBrowser(t);
  const folder = join(await realpath(t.testdir({ [LONG_NAME]: {} })), LONG_NAME);
  for (const port of [WEB, API, RESERVED, TAKEN]) await listenIn(t, folder, '127.0.0.1', port);
  const { url, request } = await serve(t, await openPostgres(t), THIS_MACHINE);
  const view = `${url}?view=import&project=wizard`;
  await request('POST', '/v1/ranges', { project: 'wizard', startPort: 27_100 });
  await request('POST', '/v1/projects/wizard/reservations', { ttlSeconds: 3600, port: RESERVED, service: 'mail' });
  await request('POST', '/v1/projects/wizard/allocations', { service: 'held', port: TAKEN });
  const heldAt = async (port: number) => (await request('GET', `/v1/ports/${port}`)).body.allocation;

  await t.test('of what listens goes step by step, forth and back, and changes nothing before its end', async (t) => {
    const visited = await visit(t, browser, view);
    const { page } = visited;
    await rowOf(page, WEB).waitFor();
    t.match(await textOf(page, WEB), new RegExp(`^${WEB} node pid \\d+ ${folder} wizard`));
    t.equal(await rowOf(page, TAKEN).count(), 0, 'it is held');
    t.equal(await page.getByLabel(String(RESERVED), { exact: true }).isChecked(), false);
    await page.getByLabel(`Service of ${WEB}`).fill('Web Server');
    await page.getByLabel(`Service of ${API}`).fill('api');
    await page.getByLabel(`Environment of ${API}`).fill('staging');
    await page.getByRole('button', { name: 'Check 2 ports' }).click();
    await page.getByRole('alert').getByText('Something of what was entered cannot be used.').waitFor();
    await untilFocused(page, `Service of ${WEB}`);
    t.equal(await page.getByLabel(`Service of ${WEB}`).getAttribute('aria-invalid'), 'true');
    await page.getByLabel(`Service of ${WEB}`).fill('web');
    await page.getByRole('button', { name: 'Check 2 ports' }).click();

    await page.getByText('2 ports: 2 can be imported. Nothing was changed yet.').waitFor();
    t.equal(page.url(), `${view}&step=check`);
    t.equal(await focused(page), 'What would happen');
    t.equal(await page.locator('.steps [aria-current="step"]').innerText(), 'Check');
    t.equal(await heldAt(WEB), null);
    await page.getByLabel(`Service of ${WEB}`).fill('shop');
    const importing = page.getByRole('button', { name: /^Import/ });
    await page.getByText('Names were changed. Check again before you import.').waitFor();
    t.equal(await importing.getAttribute('aria-disabled'), 'true');
    await importing.click({ force: true });
    await page.getByRole('button', { name: 'Check again' }).click();
    await rowOf(page, WEB).getByText('For wizard/shop (environment default).').waitFor();
    await page.getByLabel(String(API), { exact: true }).uncheck();
    await rowOf(page, API).getByText('left out').waitFor();

    await page.goBack();
    await page.getByRole('heading', { name: 'What is to be imported' }).waitFor();
    t.equal(page.url(), view);
    t.equal(await page.getByLabel(`Environment of ${API}`).inputValue(), 'staging', 'what was typed is kept');
    await page.goForward();
    t.equal(await page.getByLabel(`Service of ${WEB}`).inputValue(), 'shop');
    await page.getByRole('button', { name: 'Import 1 port', exact: true }).click();
    await page.getByText('1 port: 1 imported. What was imported is held from now on').waitFor();
    t.equal(page.url(), `${view}&step=done`);
    t.equal(await focused(page), 'What has happened');
    t.match(await heldAt(WEB), { project: 'wizard', service: 'shop', environment: 'default' });
    t.equal(await heldAt(API), null, 'it was left out');
    await page.getByRole('link', { name: String(WEB) }).click();
    await page.getByRole('heading', { name: `${WEB} localhost TCP` }).waitFor();

    await page.goBack();
    await page.goBack();
    await page.getByText('This was imported. Check it again to see what there is left to do.').waitFor();
    await page.getByRole('link', { name: 'Choose' }).click();
    await rowOf(page, API).waitFor();
    t.equal(await rowOf(page, WEB).count(), 0, 'it is held by now');
    await page.goto(`${view}&step=check`);
    await page.getByText('The page was loaded again, and what was chosen is gone.').waitFor();
    await page.getByRole('link', { name: 'Begin again' }).click();
    await rowOf(page, API).waitFor();
    t.equal(page.url(), view);
    assertClean(t, visited);
  });

  t.test('tells what others have taken between the check and the import', async (t) => {
    const visited = await visit(t, browser, view);
    const { page } = visited;
    await page.getByLabel(String(RESERVED), { exact: true }).check();
    await page.getByLabel(`Service of ${RESERVED}`).fill('mail');
    await page.getByRole('button', { name: 'Check 2 ports' }).click();
    await page.getByText('2 ports: 1 can be imported, 1 taken. Nothing was changed yet.').waitFor();
    await rowOf(page, RESERVED).getByText('Reserved by wizard/mail.', { exact: true }).waitFor();
    await page.getByLabel('Shown').selectOption('conflict');
    t.equal(page.url(), `${view}&step=check&outcome=conflict`);
    t.equal(await rowOf(page, API).count(), 0);
    await page.goBack();
    await rowOf(page, API).waitFor();
    const faster = await request('POST', '/v1/projects/wizard/allocations', { service: 'faster', port: API });
    t.equal(faster.status, 201);
    await page.getByRole('button', { name: 'Import 1 port', exact: true }).click();
    await page.getByText('1 port: 1 taken.').waitFor();
    await rowOf(page, API).getByText('Held by wizard/faster (environment default).').waitFor();
    await request('DELETE', `/v1/allocations/${faster.body.id}`);
    assertClean(t, visited);
  });

  t.test('of a text tells what each line gives, and what could not be read', async (t) => {
    const visited = await visit(t, browser, `${url}?view=import`);
    const { page } = visited;
    await page.getByLabel('The list comes from').selectOption('text');
    t.equal(page.url(), `${url}?view=import&source=text`);
    const text = page.getByLabel('The text');
    await text.fill('CONTAINER ID IMAGE\nabc nginx 0.0.0.0:80->80/tcp');
    await page.getByRole('button', { name: 'Check it' }).click();
    await page.locator('.refusal').waitFor();
    await text.fill(SS);
    await page.getByRole('button', { name: 'Check it' }).click();
    await page
      .getByText('7 lines: 1 can be imported, 1 taken, 2 in no range, 1 cannot be read, 2 passed over.')
      .waitFor();
    const range = 'No range covers it. Once a project has the range 8000–8099, begin again with it.';
    await rowOf(page, 8080).getByText(range).waitFor();
    await rowOf(page, 22).getByText('No range can cover it: ranges lie in 3000–64999.').waitFor();
    await page.getByText('2 lines are passed over').click();
    await page.getByText('Line 1 is the header.').waitFor();
    await page.goBack();
    t.equal(await text.inputValue(), SS, 'the text is kept');
    await page.goForward();
    await page.getByRole('button', { name: 'Import 1 port', exact: true }).click();
    await page.getByText('1 port: 1 imported.').waitFor();
    t.match(await heldAt(27_150), { project: 'wizard', service: 'grafana' });
    await page.getByRole('link', { name: 'Import more' }).click();
    await page.waitForURL(`${url}?view=import`);
    assertClean(t, visited);
  });

  t.test('goes from its first step to its last by the keyboard alone', async (t) => {
    const visited = await visit(t, browser, view);
    const { page } = visited;
    const { keyboard } = page;
    await rowOf(page, API).waitFor();
    await tabTo(page, String(API));
    await keyboard.press('Space');
    await page.getByRole('button', { name: 'Check 0 ports' }).waitFor();
    await keyboard.press('Space');
    await tabTo(page, `Service of ${API}`);
    await keyboard.press('Control+a');
    await keyboard.type('by-hand');
    await tabTo(page, 'Check 1 port');
    await keyboard.press('Enter');
    await untilFocused(page, 'What would happen');
    await tabTo(page, 'Choose', 'Shift+Tab');
    await keyboard.press('Enter');
    await untilFocused(page, 'What is to be imported');
    await tabTo(page, 'Check 1 port');
    await keyboard.press('Enter');
    await untilFocused(page, 'What would happen');
    await tabTo(page, 'Import 1 port');
    await keyboard.press('Enter');
    await untilFocused(page, 'What has happened');
    await tabTo(page, String(API));
    t.match(await heldAt(API), { service: 'by-hand' });
    assertClean(t, visited);
  });

  t.test('is accessible in each step, in both themes, on every width', async (t) => {
    const visited = await visit(t, browser, view);
    const { page } = visited;
    await rowOf(page, RESERVED).waitFor();
    await assertAccessible(t, page, 'listeners');
    await page.getByLabel('The list comes from').selectOption('text');
    await page.getByLabel('The text').fill(SS);
    await assertAccessible(t, page, 'text');
    await page.getByRole('button', { name: 'Check it' }).click();
    await page.getByRole('heading', { name: 'What would happen' }).waitFor();
    await assertAccessible(t, page, 'check');
    assertClean(t, visited);
  });

  t.test('is offered to who may import, and of what the key covers', async (t) => {
    const keyed = await serve(t, await openPostgres(t), { ...WITH_KEYS, ...THIS_MACHINE });
    await keyed.request('POST', '/v1/ranges', { project: 'wizard', startPort: 27_100 }, ADMIN);
    const address = `${keyed.url}?view=import`;
    const visited = await visitWithKey(t, browser, address, (await makeKey(keyed.request, 'reader')).key);
    await visited.page.getByText('The key of this page has the role reader, which changes nothing.').waitFor();
    t.equal(await visited.page.locator('main').getByRole('button').count(), 0);
    assertClean(t, visited);

    for (const [project, rows] of [
      ['odin', 0],
      ['wizard', 4],
    ] as const) {
      const { key } = await makeKey(keyed.request, 'project', project);
      const { page } = await visitWithKey(t, browser, address, key);
      await page.getByRole('button', { name: /^Check \d/ }).waitFor();
      await page.getByRole('button', { name: 'Look again' }).click();
      if (rows > 0) await rowOf(page, WEB).waitFor();
      t.equal(await page.getByRole('row', { name: /^271\d\d/ }).count(), rows, project);
    }
  });
});
