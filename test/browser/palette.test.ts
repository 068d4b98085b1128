import type { Page } from 'playwright-core';
import t from 'tap';
import { assertAccessible } from '../helpers/accessible.js';
import { assertClean, hasFocus, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';

t.test('the command palette', async (t) => {
  const browser = await openBrowser(t);
  const database = await openPostgres(t);
  const { url, request } = await serve(t, database);
  await fillRegistry(request);

  t.test('opens by / and Ctrl-K, but not by / where somebody types, and gives the focus back', async (t) => {
    const visited = await visit(t, browser, `${url}?view=findings`);
    const { page } = visited;
    const opener = page.getByRole('button', { name: 'Search, or do something' });
    await page.getByRole('heading', { name: 'Findings', exact: true }).waitFor();
    await page.getByLabel('Project').focus();
    await page.keyboard.press('/');
    t.equal(await field(page).count(), 0, 'a field has the focus');
    await page.keyboard.press('Control+k');
    await field(page).waitFor();
    await page.keyboard.press('Escape');
    await field(page).waitFor({ state: 'detached' });
    t.equal(await hasFocus(page.getByLabel('Project')), true);

    await opener.focus();
    await page.keyboard.press('/');
    t.equal(await hasFocus(field(page)), true);
    await page.keyboard.press('Control+k');
    await field(page).waitFor({ state: 'detached' });
    t.equal(await hasFocus(opener), true);
    assertClean(t, visited);
  });

  t.test('finds a number that somebody has, one that nobody has, and what is called so', async (t) => {
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page.getByText('Live', { exact: true }).waitFor();
    await search(page, '3101');
    t.equal(await active(page), '3101 consilio/web');
    await search(page, '3150');
    t.equal(await active(page), '3150');
    await page.getByRole('option', { name: '3150 free, of consilio' }).waitFor();
    await search(page, '3320');
    t.equal(await active(page), '3320 odin/search');
    await search(page, 'web staging');
    t.match(await active(page), /^31\d\d consilio\/web$/);
    await search(page, 'webh');
    t.same(await page.getByRole('listbox', { name: 'Found' }).getByRole('option').allInnerTexts(), [
      'New webhook',
      'Webhooks',
    ]);
    await search(page, 'agent');
    t.match(await page.locator('.palette [role="status"]').innerText(), /^The best 50 of \d+\.$/);
    t.equal(await page.getByRole('listbox', { name: 'Found' }).getByRole('option').count(), 50);
    await search(page, 'no such thing');
    await page.getByText('Nothing has all these words.').waitFor();
    t.equal(await field(page).getAttribute('aria-expanded'), 'false');
    assertClean(t, visited);
  });

  t.test('goes and does by the keyboard alone, and the address says where', async (t) => {
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page.getByText('Live', { exact: true }).waitFor();
    const run = async (text: string, address: string) => {
      await search(page, text);
      await page.keyboard.press('Enter');
      await page.waitForURL(`${url}${address}`);
      t.equal(await field(page).count(), 0);
    };
    await run('findings', '?view=findings');
    t.equal(await page.evaluate('document.activeElement.id'), 'content', 'the keyboard goes on in the view');
    await run('3101', '?view=findings&port=3101');
    await page.getByRole('heading', { name: /3101/ }).waitFor();
    await run('openhorizon', '?view=project&project=openhorizon');
    await run('build-1', '?view=project&project=openhorizon&host=build-1');
    await run('get port', '?view=project&project=openhorizon&host=build-1&dialog=get');
    await page.getByRole('dialog', { name: 'Get a port' }).waitFor();
    await page.keyboard.press('Control+k');
    t.equal(await field(page).count(), 0, 'what was typed into a form is not lost');
    await page.goBack();
    await page.goBack();
    await page.waitForURL(`${url}?view=project&project=openhorizon`);
    assertClean(t, visited);
  });

  t.test('goes through its options by the arrows, and around their ends', async (t) => {
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page.getByText('Live', { exact: true }).waitFor();
    await search(page, 'webh');
    await page.keyboard.press('ArrowDown');
    t.equal(await active(page), 'Webhooks');
    await page.keyboard.press('ArrowDown');
    t.equal(await active(page), 'New webhook');
    await page.keyboard.press('ArrowUp');
    t.equal(await active(page), 'Webhooks');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${url}?view=webhooks`);
    assertClean(t, visited);
  });

  t.test('lets / be switched off, and says so', async (t) => {
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page.getByText('Live', { exact: true }).waitFor();
    await search(page, 'do not open');
    await page.keyboard.press('Enter');
    const opener = page.getByRole('button', { name: 'Search, or do something' });
    t.equal(await opener.getAttribute('aria-keyshortcuts'), 'Control+K');
    await page.reload();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.keyboard.press('/');
    t.equal(await field(page).count(), 0);
    await search(page, 'slash');
    await page.keyboard.press('Enter');
    await page.keyboard.press('/');
    await field(page).waitFor();
    assertClean(t, visited);
  });

  t.test('is accessible in both themes, on every width', async (t) => {
    const visited = await visit(t, browser, `${url}?view=webhooks`);
    const { page } = visited;
    await page.getByText('Live', { exact: true }).waitFor();
    await search(page, '3101');
    await assertAccessible(t, page, 'what was found');
    assertClean(t, visited);
  });
});

const field = (page: Page) => page.getByRole('combobox', { name: 'What to go to, or to do' });

/** Opens the palette if it is not open yet, and types. */
async function search(page: Page, text: string): Promise<void> {
  if ((await field(page).count()) === 0) await page.keyboard.press('Control+k');
  await field(page).fill(text);
}

/** The name of the option that Enter runs, as users of screen readers are told it. */
async function active(page: Page): Promise<string> {
  const id = await field(page).getAttribute('aria-activedescendant');
  return page.locator(`[id="${id}"][aria-selected="true"] .palette-name`).innerText();
}
