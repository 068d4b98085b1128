import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core';
import type { Test } from 'tap';

/** Long enough for a small machine that is busy with other things too. */
const TIMEOUT_MS = 20_000;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The rules for accessibility: WCAG 2.2 AA, and what axe calls best practice. */
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Starts the browser that `npm test -- browser` found. It is closed when the test ends. */
export async function openBrowser(t: Test): Promise<Browser> {
  const executablePath = process.env.CHROMIUM;
  if (!executablePath) throw new Error('CHROMIUM is not set: run these with `npm test -- browser`');
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--headless', '--disable-gpu', '--disable-background-networking'],
  });
  t.teardown(() => browser.close());
  return browser;
}

/** A page of the dashboard, and problems in it that are not visible on the page. */
export interface Visit {
  page: Page;
  /** Errors of scripts, and violations of the Content-Security-Policy. None is expected. */
  problems: string[];
  /** All that the browser reports as an error, refusals by the service among them. */
  errors: string[];
  /** The origins to which the page sent requests. */
  origins: Set<string>;
}

/** Opens the page in a new browser context, which shares no storage with others: as another person would. */
export async function visit(
  t: Test,
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB', ...options });
  t.teardown(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  const problems: string[] = [];
  const errors: string[] = [];
  const origins = new Set<string>();
  page.on('pageerror', ({ message }) => problems.push(message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
    if (/Content Security Policy|Uncaught/.test(message.text())) problems.push(message.text());
  });
  page.on('request', (request) => origins.add(new URL(request.url()).origin));
  await page.goto(url);
  return { page, problems, errors, origins };
}

/**
 * Finds a port of the map by the beginning of its label. Searching by the attribute is faster: by role takes seconds
 * among so many cells.
 */
export function cell(page: Page, label: string): Locator {
  return page.locator(`.cell[aria-label^="${label}"]`);
}

/** Whether an element has the focus. */
export async function hasFocus(element: Locator): Promise<boolean> {
  return (await element.and(element.page().locator(':focus')).count()) === 1;
}

/** Asserts what must hold for every page at any time. */
export function assertClean(t: Test, { problems, origins, page }: Visit): void {
  t.same(problems, [], 'no error, and no violation of the Content-Security-Policy');
  t.same([...origins], [new URL(page.url()).origin], 'nothing was fetched from elsewhere');
}

interface Violation {
  id: string;
  help: string;
  nodes: { html: string }[];
}

/**
 * Returns what axe finds wrong with the page as it is now.
 * @param exclude selectors of parts that are not checked. The maps of all projects are alike and have hundreds of ports
 * each, so that only the first four are.
 */
export async function findViolations(page: Page, exclude = [['.card:nth-child(n + 5)']]): Promise<string[]> {
  // To load half a megabyte of script takes longer than most runs of it: once for each document is enough.
  if (!(await page.evaluate("typeof axe === 'object'"))) await page.evaluate(axe);
  const scope = { exclude };
  const options = { runOnly: RULES, resultTypes: ['violations'] };
  const run = `axe.run(${JSON.stringify(scope)}, ${JSON.stringify(options)}).then(({ violations }) => violations)`;
  const violations: Violation[] = await page.evaluate(run);
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`);
}
