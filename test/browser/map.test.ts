import t from 'tap';
import { assertAccessible } from '../helpers/accessible.js';
import { assertClean, cell, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, runServices, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';

t.test('the map', async (t) => {
  const browser = await openBrowser(t);
  const { url, request } = await serve(t, await openPostgres(t));
  await fillRegistry(request);
  await runServices(t, request);
  await request('POST', '/v1/audits', { host: 'localhost', unallocated: true });
  const map = `${url}?view=map`;

  t.test('names what is held, and folds what is free', async (t) => {
    const visited = await visit(t, browser, map);
    const { page } = visited;
    const card = page.getByRole('article', { name: 'consilio' });
    await card.getByText('18 of 100 held, 81 free').waitFor();
    await card.getByText('1 stopped').waitFor();
    t.equal(await page.getByRole('article', { name: 'odin' }).locator('[data-stop="3320"]').innerText(), 'search');
    t.match(await cell(page, '3106, in use, api').getAttribute('aria-label'), ', environment staging');
    t.equal(await cell(page, '3125').count(), 0, 'a decade that is all free');
    const fold = card.getByRole('button', { name: '3120–3139 free' });
    t.equal(await fold.getAttribute('aria-expanded'), 'false');
    await fold.click();
    t.equal(await cell(page, '3125, free').count(), 1);
    await fold.click();
    t.equal(await cell(page, '3125').count(), 0);
    assertClean(t, visited);
  });

  t.test('is walked with the keyboard alone, over what is folded too', async (t) => {
    const visited = await visit(t, browser, map);
    const { page } = visited;
    await cell(page, '3106').focus();
    const stops = async (...keys: string[]) => {
      const found: (string | null)[] = [];
      for (const key of keys) {
        await page.keyboard.press(key);
        found.push(await page.evaluate<string | null>("document.activeElement.getAttribute('data-stop')"));
      }
      return found;
    };
    t.same(await stops('ArrowDown', 'ArrowDown', 'ArrowDown'), ['3116', 'fold-3120', '3146'], 'the column is kept');
    t.same(await stops('ArrowUp', 'Enter', 'ArrowDown'), ['fold-3120', 'fold-3120', '3126'], 'Enter unfolds');
    t.same(await stops('Home', 'End', 'ArrowRight', 'ArrowLeft'), ['3120', '3129', '3130', '3129']);
    t.same(await stops('Control+End', 'Control+Home', 'PageDown', 'PageUp'), ['3199', '3100', '3190', '3100']);
    await page.locator('.tip').getByText('consilio/api', { exact: true }).waitFor();
    await page.keyboard.press('ArrowRight');
    await page.locator('.tip').getByText('consilio/web', { exact: true }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByRole('heading', { name: /3101/ }).waitFor();
    t.equal(page.url(), `${map}&port=3101`);
    t.equal(await page.evaluate('document.activeElement.tagName'), 'H2');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    t.equal(page.url(), map);
    t.same(await stops('ArrowRight'), ['3102'], 'the focus has returned');
    assertClean(t, visited);
  });

  t.test('dims what the filters leave out, and shows a port that is folded when it is asked for', async (t) => {
    const visited = await visit(t, browser, `${map}&environment=staging`);
    const { page } = visited;
    await page.getByText('The filters leave something in 1 of 7 projects.').waitFor();
    const lit = () =>
      page.locator('.line .cell:not(.dim)').evaluateAll((all) => all.map((one) => one.getAttribute('data-stop')));
    t.same(await lit(), ['3106', '3107', '3108', '3109', '3110', '3111']);
    await page.getByRole('searchbox', { name: 'Find' }).fill('redis');
    await page.waitForURL(`${map}&environment=staging&q=redis`);
    t.same(await lit(), ['3110']);
    await page.getByRole('button', { name: 'Clear the filters' }).click();
    t.equal(await page.getByRole('article').count(), 7);
    await page.getByRole('searchbox', { name: 'Find' }).fill('3155');
    await cell(page, '3155, free').waitFor();
    t.same(await lit(), ['3155']);
    await page.goto(`${map}&port=3166`);
    await cell(page, '3166, free').waitFor();
    t.equal(await cell(page, '3166').getAttribute('aria-selected'), 'true');
    assertClean(t, visited);
  });

  t.test('shows another host, and follows what others do', async (t) => {
    const visited = await visit(t, browser, map);
    const { page } = visited;
    await page.getByLabel('Host').selectOption('build-1');
    await cell(page, '3300, not checked yet, ingest').waitFor();
    t.equal(page.url(), `${map}&host=build-1`);
    await page.getByText('Every range on build-1, TCP.').waitFor();
    const { port } = (await request('PUT', '/v1/projects/consilio/services/late?host=build-1', {})).body;
    await cell(page, `${port}, not checked yet, late`).waitFor();
    await page.goBack();
    await cell(page, '3301, in use, query').waitFor();
    assertClean(t, visited);
  });

  t.test('is accessible in both themes, on every width', async (t) => {
    const visited = await visit(t, browser, `${map}&port=3104`);
    const { page } = visited;
    await page.getByRole('heading', { name: 'Who has had it' }).waitFor();
    await assertAccessible(t, page, 'with the details of a port');
    assertClean(t, visited);
  });
});
