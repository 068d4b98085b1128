import type { Page } from 'playwright-core';
import type { Test } from 'tap';
import { findViolations } from './browser.js';

type Look = readonly [colorScheme: 'light' | 'dark', width: number];

/** Both themes on the widths of a phone, a tablet and a desk. */
const EVERY: readonly Look[] = [360, 768, 1440].flatMap((width) => [
  ['light', width] as const,
  ['dark', width] as const,
]);
/** Each theme and the widths that differ most: for what is like something that was looked at in every way. */
export const SOME: readonly Look[] = [
  ['light', 360],
  ['dark', 1440],
];

/**
 * Asserts that axe finds nothing wrong with the page as it is now, and that it is nowhere wider than the screen.
 * @param exclude selectors of parts that are not checked, such as links of which an open menu covers a part
 */
export async function assertAccessible(
  t: Test,
  page: Page,
  what: string,
  looks = EVERY,
  exclude?: string[][],
): Promise<void> {
  for (const [colorScheme, width] of looks) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    t.same(await findViolations(page, exclude), [], `${what}, ${colorScheme}, ${width} pixels`);
    t.ok(
      Number(await page.evaluate('document.documentElement.scrollWidth')) <= width,
      `${what} fits in ${width} pixels`,
    );
  }
}
