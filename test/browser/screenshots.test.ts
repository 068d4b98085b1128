// The pictures of the docs. `npm run screenshots` makes them; without it, this tells whether they still show the dashboard.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import t from 'tap';
import { packageRoot } from '../../src/package-root.js';
import { assertClean, visit } from '../helpers/browser.js';
import { serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { describeLook } from '../helpers/look.js';
import { ADDRESS, fillForPictures, SIGHT, showMoment } from '../helpers/pictures.js';

const FOLDER = join(packageRoot, 'docs', 'pictures');
/** Of a hundred. Text is sharp with it. */
const QUALITY = 80;
const isMaking = process.env.SCREENSHOTS === '1';

interface Picture {
  query: string;
  /** What is shown last: the picture is taken when all of it is there. */
  ready: string[];
  height: number;
  /** How many lines of its words are compared. The table of services has more, of rows further down. */
  lines?: number;
  colorScheme?: 'dark';
}

const DETAILS = ['ul.history li', 'text=open, 0.4 ms', '.copies code'];
const PICTURES: Record<string, Picture> = {
  services: { query: '', ready: ['tr.port'], height: 900, lines: 300 },
  map: { query: '?view=map&port=3101', ready: ['.grid .cell', ...DETAILS], height: 960 },
  project: {
    query: '?view=project&project=consilio',
    ready: ['.trend svg', '.events li', 'text=consilio-login'],
    height: 1700,
  },
  findings: { query: '?view=findings', ready: ['.findings-group'], height: 900 },
  'services-dark': {
    query: '?project=consilio&port=3101',
    ready: ['tr.port', ...DETAILS],
    height: 900,
    colorScheme: 'dark',
  },
};

t.test('the pictures of the docs show the dashboard as it is', async (t) => {
  const database = await openPostgres(t);
  const { url, request } = await serve(t, database);
  await fillForPictures(t, database.db, request);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM as string,
    args: [
      '--no-sandbox',
      '--headless',
      '--disable-gpu',
      '--hide-scrollbars',
      '--disable-lcd-text',
      `--host-resolver-rules=${mapTo(url)}`,
    ],
  });
  t.teardown(() => browser.close());

  for (const [name, { query, ready, height, lines = 1000, colorScheme = 'light' }] of Object.entries(PICTURES)) {
    t.test(name, async (t) => {
      const viewport = { width: 1440, height };
      const visited = await visit(t, browser, 'about:blank', { ...SIGHT, viewport, colorScheme });
      const { page } = visited;
      await showMoment(page, request);
      await page.goto(ADDRESS + query);
      await page.getByText('Live', { exact: true }).waitFor();
      for (const selector of ready) await page.locator(selector).first().waitFor();
      const look = await describeLook(page, lines);
      const files = { picture: join(FOLDER, `${name}.webp`), look: join(FOLDER, `${name}.txt`) };
      if (isMaking) {
        writeFileSync(files.picture, await capture(page));
        writeFileSync(files.look, look);
      }
      const before = existsSync(files.look) ? readFileSync(files.look, 'utf8') : '';
      t.equal(
        look,
        before,
        `docs/pictures/${name}.webp shows the page as it was: run npm run screenshots and look at it`,
      );
      assertClean(t, visited);
    });
  }
});

/** As WebP, which Playwright does not offer: as PNG they would take three times as much. */
async function capture(page: Page): Promise<Buffer> {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY });
  return Buffer.from(data, 'base64');
}

const mapTo = (url: string) => `MAP ${new URL(ADDRESS).host} ${new URL(url).host}`;
