// What axe says of every view and dialog where there is something of everything.
import t from 'tap';
import { assertAccessible, SOME } from '../helpers/accessible.js';
import { assertClean, openBrowser } from '../helpers/browser.js';
import { openDialog, serveEverything, visitAsAdmin } from '../helpers/everything.js';
import { until } from '../helpers/until.js';

/** Dialogs are as wide on a tablet as on a desk. */
const OF_DIALOGS = [
  ['light', 360],
  ['dark', 360],
  ['light', 1440],
  ['dark', 1440],
] as const;
/** Their own tests look at these in every way. */
const CHECKED_ELSEWHERE = ['get-stack', 'expire-environment', 'apply-cloudflare'];
/** Dialogs that have nothing that others have not. */
const LIKE_OTHERS = ['release-selected', 'describe-selected', 'switch-off-webhook', 'cancel', 'exclude-found', 'renew'];

t.test('nothing is wrong for assistive technology', async (t) => {
  const browser = await openBrowser(t);
  const { url, views, dialogs } = await serveEverything(t);
  const visited = await visitAsAdmin(t, browser, url);
  const { page } = visited;

  t.test('in any view', async (t) => {
    for (const [query, heading] of views) {
      await page.goto(`${url}${query}`);
      await page.getByRole('main').getByRole('heading', { level: 2, name: heading }).first().waitFor();
      await until(async () => (await page.getByText('Reading…', { exact: true }).count()) === 0);
      // The own tests of each look at it in every way.
      await assertAccessible(t, page, query, SOME);
    }
    assertClean(t, visited);
  });

  t.test('in any dialog', async (t) => {
    await page.goto(`${url}?view=excluded`);
    await page.getByText('Live', { exact: true }).waitFor();
    for (const [kind, [about, title]] of Object.entries(dialogs)) {
      if (CHECKED_ELSEWHERE.includes(kind) || LIKE_OTHERS.includes(kind)) continue;
      await openDialog(page, kind, about);
      await page.getByRole('dialog', { name: title, exact: true }).waitFor();
      await assertAccessible(t, page, kind, OF_DIALOGS);
    }
    assertClean(t, visited);
  });
});
