import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { assertClean, cell, findViolations, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, runServices, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';

/** A folder for screenshots of the main views, for people to look at. Without it none are made. */
const { SCREENSHOTS } = process.env;

t.test('the dashboard is accessible', async (t) => {
  const { url, request } = await serve(t, await openPostgres(t));
  await fillRegistry(request);
  await runServices(t, request);
  const browser = await openBrowser(t);

  for (const colorScheme of ['light', 'dark'] as const) {
    t.test(`nothing is wrong for assistive technology, in ${colorScheme}`, async (t) => {
      const visited = await visit(t, browser, url, { colorScheme, viewport: { width: 1440, height: 1180 } });
      const { page } = visited;
      const look = async (view: string) => {
        t.same(await findViolations(page), [], view);
        if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${colorScheme}-${view}.png`) });
      };
      await page.getByRole('article', { name: 'shared-services' }).waitFor();
      await look('map');
      await page.getByRole('button', { name: 'Run an audit' }).click();
      await page.getByRole('heading', { name: /^The audit found/ }).waitFor();
      await look('audit');
      await cell(page, '3113,').click();
      await page
        .getByRole('listitem')
        .getByText(/^open, /)
        .first()
        .waitFor();
      await look('details');
      await page.getByRole('button', { name: 'Release', exact: true }).click();
      await look('release');
      await page.getByRole('button', { name: 'Keep it' }).click();
      await page.getByRole('button', { name: 'Describe' }).click();
      await look('describe');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Get a port' }).click();
      await look('get');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Reserve', exact: true }).click();
      await look('reserve');
      await page.keyboard.press('Escape');
      await page.getByRole('searchbox').fill('api');
      await page.getByRole('heading', { name: /^\d+ matches$/ }).waitFor();
      await look('search');
      assertClean(t, visited);
    });
  }

  t.test('everything can be done by keyboard', async (t) => {
    const visited = await visit(t, browser, url);
    const { page } = visited;
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const focused = () => page.evaluate<string>(FOCUSED);
    /** Waits for the focus, because a dialog that closes returns it a moment later. */
    const focusReturnsTo = async (expected: RegExp) => {
      const deadline = Date.now() + 2000;
      while (!expected.test(await focused()) && Date.now() < deadline) await setTimeout(20);
      t.match(await focused(), expected);
    };
    await page.getByRole('article', { name: 'odin' }).waitFor();

    await press('Tab');
    t.equal(await focused(), 'Skip to the content');
    await press('Enter', 'Tab');
    t.match(await focused(), /^Held/);
    // Between the tiles and the map are the findings of the last audit that was kept, with a stop for each port.
    for (let stops = 0; stops < 20 && (await focused()) !== 'Sort by'; stops++) await press('Tab');
    t.equal(await focused(), 'Sort by');
    await press('Tab');
    t.match(await focused(), /^3000, in use/, 'a grid is one stop');
    await press('Tab');
    t.match(await focused(), /^3100, /, 'and the next grid the next');
    for (const [key, expected] of [
      ['ArrowRight', 3101],
      ['ArrowDown', 3111],
      ['ArrowLeft', 3110],
      ['ArrowUp', 3100],
      ['ArrowUp', 3100],
      ['ArrowLeft', 3100],
      ['End', 3109],
      ['ArrowRight', 3110],
      ['Control+End', 3199],
      ['ArrowDown', 3199],
      ['Home', 3190],
      ['Control+Home', 3100],
    ] as const) {
      await press(key);
      t.match(await focused(), new RegExp(`^${expected}, `), key);
    }
    await press('ArrowDown', 'Tab', 'Shift+Tab');
    t.match(await focused(), /^3110, /, 'it comes back to where it was');

    await press('Enter');
    await page.getByRole('dialog', { name: '3110' }).getByRole('button', { name: 'Release' }).waitFor();
    t.equal(await focused(), '3110 localhost TCP', 'the details are read from their heading');
    await press('Tab', 'Tab');
    t.equal(await focused(), 'Release');
    await press('Enter');
    await page.getByRole('dialog', { name: 'Release port 3110?' }).waitFor();
    t.equal(await focused(), 'Keep it', 'an Enter too many loses nothing');
    await press('Escape');
    await focusReturnsTo(/^Release$/);
    await press('Escape');
    await focusReturnsTo(/^3110, /);

    await press('/');
    await page.keyboard.type('web');
    await page.getByRole('heading', { name: '3 matches' }).waitFor();
    t.match(await page.getByRole('status').allInnerTexts(), ['3 matches']);
    assertClean(t, visited);
  });

  t.test('on a phone the details cover the map, and nothing is wider than the screen', async (t) => {
    const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
    const visited = await visit(t, browser, url, phone);
    const { page } = visited;
    const isTooWide = () => page.evaluate<boolean>(`document.documentElement.scrollWidth > ${phone.viewport.width}`);
    const look = async (view: string) => {
      t.notOk(await isTooWide(), view);
      t.same(await findViolations(page), [], view);
      if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `phone-${view}.png`) });
    };
    await page.getByRole('article', { name: 'odin' }).waitFor();
    await look('map');
    await cell(page, '3302,').tap();
    await page.getByRole('dialog', { name: '3302' }).getByText('Who has had it').waitFor();
    await look('details');
    await page.getByRole('button', { name: 'Close the details' }).tap();
    await page.getByRole('button', { name: 'Run an audit' }).tap();
    await page.getByRole('heading', { name: /^The audit found/ }).waitFor();
    await look('audit');
    await page.getByRole('searchbox').fill('api');
    await page.getByRole('heading', { name: /^\d+ matches$/ }).waitFor();
    await look('search');
    assertClean(t, visited);
  });
});

/** The accessible name of the focused element. */
const FOCUSED = `(() => {
  const { ariaLabel, labels, innerText } = document.activeElement;
  return (ariaLabel ?? labels?.[0]?.firstChild.textContent ?? innerText).replace(/\\s+/g, ' ').trim();
})()`;
