import type { Page } from 'playwright-core';
import t from 'tap';
import { assertClean, findViolations, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, serve } from '../helpers/dashboard.js';
import { visitWithKey } from '../helpers/dashboard-keys.js';
import { openPostgres } from '../helpers/database.js';
import { focused, tabTo, untilFocused } from '../helpers/keyboard.js';
import { ADMIN_KEY, makeKey, WITH_KEYS } from '../helpers/keys.js';

const rowOf = (page: Page, port: number) => page.getByRole('row', { name: new RegExp(`^${port}\\b`) });
const told = (page: Page, text: string) => page.locator('.notice').getByText(text).waitFor();
const scopeOf = (count: number) =>
  `${count} numbers that nobody is given unasked, on any host, TCP and UDP. By its number one can still be had.`;

t.test('the excluded ports', async (t) => {
  const browser = await openBrowser(t);
  const { url, request } = await serve(t, await openPostgres(t));
  await fillRegistry(request);
  const isExcluded = async (port: number) => (await request('GET', `/v1/excluded-ports/${port}`)).status === 200;

  await t.test('are listed with reason, range and holder, and added, changed and removed', async (t) => {
    const visited = await visit(t, browser, `${url}?view=excluded`);
    const { page } = visited;
    await page.getByText(scopeOf(15)).waitFor();
    await rowOf(page, 6000).getByText('Browsers and fetch() refuse it (x11,').waitFor();
    await rowOf(page, 6000).getByText('no project').waitFor();
    await page.getByRole('button', { name: 'Exclude a port' }).click();
    t.equal(page.url(), `${url}?view=excluded&dialog=exclude`);
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Port', { exact: true }).fill('3300');
    await dialog.getByLabel('Reason').fill('Printers\u202e here');
    await dialog.getByRole('button', { name: 'Exclude it' }).click();
    await told(page, 'Port 3300 is excluded.');
    const row = rowOf(page, 3300);
    await row.getByText('Printers\\u{202e} here').waitFor();
    const text = (await row.innerText()).replace(/\s+/g, ' ');
    t.match(text, /here odin odin\/ingest build-1:3300 odin\/ingest 3300 (now|\d+ \w+ ago) Change/);
    await page.getByText(scopeOf(16)).waitFor();

    await row.getByRole('button', { name: 'Change the reason of 3300' }).click();
    await page.reload();
    const change = page.getByRole('dialog', { name: 'Why port 3300 is excluded' });
    t.equal(page.url(), `${url}?view=excluded&dialog=exclude%3A3300`);
    await change.getByText('In a range of odin. Held by odin/ingest on build-1, odin/ingest on localhost.').waitFor();
    t.equal(await change.getByLabel('Port', { exact: true }).isEditable(), false);
    await change.getByLabel('Reason').fill('Printers listen here');
    await change.getByRole('button', { name: 'Save' }).click();
    await told(page, 'Port 3300 has another reason.');
    await row.getByText('Printers listen here').waitFor();

    await row.getByRole('button', { name: 'Stop excluding 3300' }).click();
    const stop = page.getByRole('dialog', { name: 'Stop excluding port 3300?' });
    await stop.getByText('Services of odin may be given it from then on.').waitFor();
    await page.goBack();
    await stop.waitFor({ state: 'detached' });
    await row.getByRole('button', { name: 'Stop excluding 3300' }).click();
    await stop.getByRole('button', { name: 'Stop excluding 3300' }).click();
    await told(page, 'Port 3300 is not excluded any more.');
    await row.waitFor({ state: 'detached' });
    t.equal(await isExcluded(3300), false);
    await page.getByRole('button', { name: 'Undo' }).click();
    await told(page, 'Port 3300 is excluded again.');
    await row.getByText('Printers listen here').waitFor();
    t.equal(await isExcluded(3300), true);
    assertClean(t, visited);
  });

  t.test('are sorted as the address says, and open the port', async (t) => {
    const visited = await visit(t, browser, `${url}?view=excluded`);
    const { page } = visited;
    const ports = async () => (await page.getByRole('rowheader').allInnerTexts()).map((port) => Number(port));
    await page.getByText(scopeOf(16)).waitFor();
    await page.getByRole('button', { name: 'Port', exact: true }).click();
    await page.getByRole('button', { name: 'Port', exact: true }).click();
    t.equal(page.url(), `${url}?view=excluded&sort=-port`);
    t.equal((await ports())[0], 10_080);
    await page.reload();
    await page.getByText(scopeOf(16)).waitFor();
    t.equal((await ports())[0], 10_080, 'the same after a reload');
    await rowOf(page, 6000).getByRole('link', { name: '6000' }).click();
    t.equal(page.url(), `${url}?view=excluded&sort=-port&port=6000`);
    await page.getByRole('dialog', { name: '6000' }).getByText('Excluded: nobody is given it unasked.').waitFor();
    for (let back = 0; back < 3; back++) await page.goBack();
    await page.waitForURL(`${url}?view=excluded`);
    await page.getByText(scopeOf(16)).waitFor();
    t.equal((await ports())[0], 3300);
    assertClean(t, visited);
  });

  t.test('are refused in words that say what to do here', async (t) => {
    const visited = await visit(t, browser, `${url}?view=excluded&dialog=exclude`);
    const { page } = visited;
    const dialog = page.getByRole('dialog');
    const exclude = async (port: string, reason: string) => {
      await dialog.getByLabel('Port', { exact: true }).fill(port);
      await dialog.getByLabel('Reason').fill(reason);
      await dialog.getByRole('button', { name: 'Exclude it' }).click();
    };
    await exclude('80', 'The web server');
    t.equal(await page.evaluate("document.querySelector('input[name=port]').validity.rangeUnderflow"), true);
    await exclude('3456', '  ');
    await dialog.getByRole('alert').getByText('Something of what was entered cannot be used.').waitFor();
    t.equal(await dialog.getByLabel('Reason').getAttribute('aria-invalid'), 'true');
    t.equal(await isExcluded(3456), false);
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await request('PUT', '/v1/excluded-ports/3457', { reason: 'For a moment' });
    await page.getByRole('button', { name: 'Stop excluding 3457' }).click();
    await request('DELETE', '/v1/excluded-ports/3457');
    await rowOf(page, 3457).waitFor({ state: 'detached' });
    await dialog.getByRole('button', { name: 'Stop excluding 3457' }).click();
    await dialog.getByRole('alert').getByText('Somebody else was faster. The page shows what there is now.').waitFor();
    await page.reload();
    await dialog.getByText('The exclusion is gone: somebody was faster, or the link to it is old.').waitFor();
    assertClean(t, visited);
  });

  t.test('are added, changed and removed by the keyboard alone', async (t) => {
    const visited = await visit(t, browser, `${url}?view=excluded`);
    const { page } = visited;
    const { keyboard } = page;
    await page.getByText(scopeOf(16)).waitFor();
    await tabTo(page, 'Exclude a port');
    await keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Exclude a port' }).waitFor();
    t.equal(await focused(page), 'Port');
    await keyboard.type('3222');
    await keyboard.press('Tab');
    await keyboard.type('A VPN');
    await keyboard.press('Enter');
    await told(page, 'Port 3222 is excluded.');
    await untilFocused(page, 'Exclude a port');
    await rowOf(page, 3222).waitFor();

    await tabTo(page, 'Change the reason of 3222');
    await keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Why port 3222 is excluded' }).waitFor();
    await tabTo(page, 'Reason');
    await keyboard.press('End');
    await keyboard.type(' listens there');
    await keyboard.press('Enter');
    await rowOf(page, 3222).getByText('A VPN listens there').waitFor();
    await untilFocused(page, 'Change the reason of 3222');

    await keyboard.press('Tab');
    await keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Stop excluding port 3222?' }).waitFor();
    t.equal(await focused(page), 'Keep it', 'an Enter too many changes nothing');
    await keyboard.press('Escape');
    await untilFocused(page, 'Stop excluding 3222');
    await keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await keyboard.press('Tab');
    await keyboard.press('Enter');
    await told(page, 'Port 3222 is not excluded any more.');
    await rowOf(page, 3222).waitFor({ state: 'detached' });
    await untilFocused(page, '3300');
    await tabTo(page, 'Undo');
    await keyboard.press('Enter');
    await told(page, 'Port 3222 is excluded again.');
    await rowOf(page, 3222).getByText('A VPN listens there').waitFor();
    t.not(await focused(page), 'BODY');
    assertClean(t, visited);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    t.test(`are accessible on every width, ${colorScheme}`, async (t) => {
      const visited = await visit(t, browser, `${url}?view=excluded`, { colorScheme });
      const { page } = visited;
      await rowOf(page, 6000).waitFor();
      for (const width of [360, 768, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        t.same(await findViolations(page), [], `${width} pixels`);
        const content = await page.evaluate('document.documentElement.scrollWidth');
        t.ok(Number(content) <= width, `${content} of ${width}`);
      }
      for (const name of ['Exclude a port', 'Stop excluding 6000']) {
        await page.getByRole('button', { name }).click();
        await page.getByRole('dialog').waitFor();
        t.same(await findViolations(page), [], name);
        await page.keyboard.press('Escape');
      }
      assertClean(t, visited);
    });
  }

  t.test('are seen with every key, and offered to be changed to admins alone', async (t) => {
    const keyed = await serve(t, await openPostgres(t), WITH_KEYS);
    const address = `${keyed.url}?view=excluded`;
    for (const role of ['reader', 'project'] as const) {
      const covered = role === 'project' ? ['odin'] : [];
      const { key } = await makeKey(keyed.request, role, ...covered);
      const visited = await visitWithKey(t, browser, address, key);
      const { page } = visited;
      await page.getByText(scopeOf(15)).waitFor();
      t.equal(await page.getByRole('button', { name: /exclud|reason of/i }).count(), 0, role);
      await page.goto(`${address}&dialog=stop-excluding:6000`);
      await page.getByRole('button', { name: 'Stop excluding 6000' }).click();
      const words = 'Ask whoever runs the registry for a key that may do it.';
      await page.getByRole('dialog').getByRole('alert').getByText(words).waitFor();
      assertClean(t, visited);
    }
    const admin = await visitWithKey(t, browser, address, ADMIN_KEY);
    await admin.page.getByRole('button', { name: 'Exclude a port' }).waitFor();
    await admin.page.getByRole('button', { name: 'Stop excluding 6000' }).waitFor();
    assertClean(t, admin);
  });
});
