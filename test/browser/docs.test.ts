import type { Locator, Page } from 'playwright-core';
import t from 'tap';
import { assertAccessible } from '../helpers/accessible.js';
import { assertClean, openBrowser, visit } from '../helpers/browser.js';
import { serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';

const GET_OR_ALLOCATE = '/v1/projects/{project}/services/{service}';

/** As in a browser that keeps nothing for sites. */
const BLOCKED_STORAGE = `Object.defineProperty(window, 'sessionStorage', {
  get() { throw new DOMException('blocked', 'SecurityError'); },
});`;

t.test('/docs in a browser', async (t) => {
  const browser = await openBrowser(t);
  const database = await openPostgres(t);

  t.test('is read in both themes, on every width, without an error', async (t) => {
    const { url } = await serve(t, database);
    const visited = await visit(t, browser, `${url}docs/`);
    const { page, errors } = visited;
    await page.getByRole('heading', { name: 'Port Allocator', exact: true }).waitFor();
    await page.getByText('“Try it out” calls this registry, which is live.').waitFor();
    await open(page, 'put', GET_OR_ALLOCATE);
    for (const width of [360, 768, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      const content = await page.evaluate('document.documentElement.scrollWidth');
      t.ok(Number(content) <= width, `nothing is wider than the window: ${content} of ${width}`);
    }
    // Of Swagger UI axe would only walk through its thousands of elements, again and again.
    await page.evaluate("document.querySelector('#swagger-ui').replaceChildren()");
    await assertAccessible(t, page, 'what is ours');
    t.same(errors, []);
    assertClean(t, visited);
  });

  t.test('asks once before it changes the live registry, and shows what has to be given first', async (t) => {
    // The page is at another address than the one that the contract names, and calls the registry that it comes from.
    const { url, request } = await serve(t, database, { PUBLIC_URL: 'https://ports.example' });
    const visited = await visit(t, browser, 'about:blank');
    const { page, errors } = visited;
    await page.addInitScript(BLOCKED_STORAGE);
    await page.goto(`${url}docs/`);
    const held = async () => (await request('GET', '/v1/allocations')).body.items.length;
    const operation = await open(page, 'put', GET_OR_ALLOCATE);
    const names = await operation.locator('.parameter__name').allInnerTexts();
    t.same(
      names.slice(0, 3).map((name) => name.split(/\s/)[0]),
      ['project', 'service', 'environment'],
    );
    await operation.getByRole('button', { name: 'Try it out' }).click();
    await operation.getByPlaceholder('project').fill('odin');
    await operation.getByPlaceholder('service').fill('web');
    const execute = operation.getByRole('button', { name: 'Execute' });

    await execute.click();
    const question = page.getByRole('dialog', { name: 'Change the live registry?' });
    await question.getByText('PUT /v1/projects/odin/services/web', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    await operation.getByText('It was not sent.').waitFor();
    t.equal(await held(), 0);

    await execute.click();
    await question.getByRole('button', { name: 'Send it', exact: true }).click();
    await operation.locator('.live-responses-table .response-col_status', { hasText: '201' }).waitFor();
    t.equal(await held(), 1);

    await execute.click();
    await operation.locator('.live-responses-table .response-col_status', { hasText: '200' }).waitFor();
    t.equal(await question.isVisible(), false, 'asked once');
    t.same(errors, []);
    assertClean(t, visited);
  });

  t.test('works under a BASE_PATH, and sends no question about what only reads', async (t) => {
    const { url } = await serve(t, database, { BASE_PATH: '/ports' });
    const visited = await visit(t, browser, `${url}ports/docs`);
    const { page, errors } = visited;
    t.equal(page.url(), `${url}ports/docs/`);
    const operation = await open(page, 'get', '/v1/projects');
    await operation.getByRole('button', { name: 'Try it out' }).click();
    await operation.getByRole('button', { name: 'Execute' }).click();
    await operation.locator('.live-responses-table .response-col_status', { hasText: '200' }).waitFor();
    await page.getByRole('link', { name: 'Dashboard' }).click();
    await page.waitForURL(`${url}ports/`);
    t.same(errors, []);
    assertClean(t, visited);
  });
});

/** Swagger UI takes seconds to show the contract, on a small machine that is busy with other things many of them. */
const TIMEOUT_MS = 60_000;

/** Opens an operation of the contract. */
async function open(page: Page, method: string, path: string): Promise<Locator> {
  page.setDefaultTimeout(TIMEOUT_MS);
  const operation = page.locator(`.opblock-${method}`, { has: page.locator(`[data-path="${path}"]`) });
  await operation.locator('.opblock-summary-control').click();
  await operation.locator('.parameters-container').waitFor();
  return operation;
}
