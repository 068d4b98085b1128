// All of the dashboard by the keyboard and by touch, and as people have set up their systems.
import type { Page } from 'playwright-core';
import t from 'tap';
import { assertClean, findViolations, openBrowser } from '../helpers/browser.js';
import { serveEverything, visitAsAdmin } from '../helpers/everything.js';
import { until } from '../helpers/until.js';

t.test('the dashboard is accessible', async (t) => {
  const browser = await openBrowser(t);
  const { url } = await serveEverything(t);
  const visited = await visitAsAdmin(t, browser, url);
  const { page } = visited;

  t.test('what moves stands still for those who asked for it, and forced colours keep all apart', async (t) => {
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.emulateMedia({ reducedMotion: 'reduce', forcedColors: 'active' });
    await page.goto(`${url}?view=map&port=3101`);
    await page.getByRole('heading', { name: 'Who has had it' }).waitFor();
    t.same(await page.evaluate(MOVING), []);
    const colours = await page.evaluate<string[]>(COLOURS_OF_STATES);
    t.equal(new Set(colours).size, colours.length, 'each state of the legend keeps its colour and shape');
    t.same(await findViolations(page), []);
    await page.emulateMedia({ reducedMotion: null, forcedColors: null });
    assertClean(t, visited);
  });

  t.test('the focus goes in the order of what is seen, is seen, and is never lost', async (t) => {
    await page.emulateMedia({ colorScheme: 'light' });
    await page.goto(`${url}?view=projects`);
    await page.getByRole('row', { name: /odin/ }).first().waitFor();
    const seen: string[] = [];
    for (let i = 0; i < 24; i += 1) {
      await page.keyboard.press('Tab');
      seen.push(await focused(page));
      t.ok(await page.evaluate(HAS_OUTLINE), `${seen.at(-1)} shows that it has the focus`);
    }
    t.same(seen.slice(0, 6), [
      'Skip to the content',
      'Port Allocator',
      'Search, or do something',
      'Forget the key',
      'Get a port',
      'Services',
    ]);
    t.same(seen.slice(18, 22), ['Webhooks', 'Cloudflare', 'New project', 'Host']);

    await page.goto(`${url}?view=projects`);
    await page.getByRole('row', { name: /odin/ }).first().waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    t.equal(page.url(), `${url}?view=projects`);
    await page.keyboard.press('Tab');
    t.equal(await focused(page), 'New project', 'the link skips what is the same everywhere');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'New project' }).waitFor();
    t.equal(await page.evaluate('document.activeElement.name'), 'project', 'a form begins in its first field');
    let outside = 0;
    for (let i = 0; i < 12; i += 1) {
      await page.keyboard.press('Tab');
      outside = (await page.evaluate('document.activeElement.closest("dialog") !== null')) ? 0 : outside + 1;
      t.ok(outside <= 1, 'behind its last field it is in the browser once, and then in the first one');
    }
    await page.keyboard.press('Escape');
    await until(async () => (await focused(page)) === 'New project');
    assertClean(t, visited);
  });

  t.test('a port is walked to, described, and left, by the keyboard alone', async (t) => {
    await page.goto(`${url}?view=map&project=consilio`);
    await page.locator('[data-stop="3100"]').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Shift+Tab');
    t.match(await focused(page), /^3110, /, 'it comes back to where it was');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: /3110/ }).getByRole('button', { name: 'Release' }).waitFor();
    t.match(await focused(page), /^3110 localhost TCP/, 'the details are read from their heading');
    for (let i = 0; i < 12 && (await focused(page)) !== 'Release'; i += 1) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Release port 3110?' }).waitFor();
    t.equal(await focused(page), 'Keep it', 'an Enter too many loses nothing');
    await page.keyboard.press('Escape');
    await until(async () => (await focused(page)) === 'Release');
    await page.keyboard.press('Escape');
    await until(async () => /^3110, /.test(await focused(page)));
    assertClean(t, visited);
  });

  t.test('on a telephone the menu and the details are opened and left by touch', async (t) => {
    const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
    const visited = await visitAsAdmin(t, browser, `${url}?view=map`, phone);
    const { page } = visited;
    await page.locator('[data-stop="3302"]').tap();
    await page.getByRole('dialog', { name: /3302/ }).getByText('Who has had it').waitFor();
    await page.locator('.details:modal').waitFor();
    t.same(await findViolations(page), []);
    await page.getByRole('button', { name: 'Close the details' }).tap();
    await page.locator('.details').waitFor({ state: 'detached' });
    const menu = page.getByRole('navigation').getByRole('button', { name: 'Map' });
    await menu.tap();
    t.equal(await menu.getAttribute('aria-expanded'), 'true');
    t.same(await findViolations(page), []);
    await page.getByRole('link', { name: 'Reservations' }).tap();
    await page.getByRole('heading', { name: 'Reservations' }).waitFor();
    const opened = page.getByRole('navigation').getByRole('button', { name: 'Reservations' });
    t.equal(await opened.getAttribute('aria-expanded'), 'false', 'the menu has closed');
    assertClean(t, visited);
  });
});

const focused = (page: Page) => page.evaluate<string>(FOCUSED);

/** The accessible name of the focused element, as far as these need it. */
const FOCUSED = `(() => {
  const { ariaLabel, labels, innerText } = document.activeElement;
  const text = ariaLabel ?? labels?.[0]?.firstChild.textContent ?? innerText;
  return text.replace(/\\s+/g, ' ').replace(/ [\\d/]+$/, '').trim();
})()`;

/** Whether an outline is drawn around what has the focus, or around the field that it is in. */
const HAS_OUTLINE = `(() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
})()`;

/** What has an animation or a transition. */
const MOVING = `[...document.querySelectorAll('*')].filter((element) => {
  const { animationName, transitionDuration } = getComputedStyle(element);
  return animationName !== 'none' || transitionDuration.split(',').some((time) => parseFloat(time) > 0);
}).map(({ className }) => className)`;

/** Of each state in the legend, its colour and the shape of its mark. */
const COLOURS_OF_STATES = `[...document.querySelectorAll('.legend .cell')].map((cell) => {
  const mark = getComputedStyle(cell, '::before');
  return [getComputedStyle(cell).backgroundColor, mark.clipPath, mark.borderRadius, mark.borderWidth, mark.height].join();
})`;
