import { createHash } from 'node:crypto';
import type { Page } from 'playwright-core';

/** What a style sheet says of an element and no font changes: the pictures are made with whatever font there is. */
const PROPERTIES = [
  'color',
  'background-color',
  'background-image',
  'border-top-color',
  'border-top-style',
  'border-top-width',
  'border-bottom-width',
  'border-top-left-radius',
  'box-shadow',
  'display',
  'flex-direction',
  'font-size',
  'font-weight',
  'opacity',
  'padding-top',
  'padding-left',
  'position',
  'row-gap',
  'column-gap',
  'text-align',
  'text-decoration-line',
  'text-transform',
];
/** Each kind of element once, so that it does not matter how many of a kind there are. */
const STYLES = `[...new Set([...document.body.querySelectorAll('*')]
  .filter((element) => element.checkVisibility() && !element.matches('input, select, option, progress'))
  .map((element) => {
    const style = getComputedStyle(element);
    const is = element.tagName + ' ' + (element.getAttribute('class') ?? '') + ' ';
    return is + ${JSON.stringify(PROPERTIES)}.map((name) => style.getPropertyValue(name)).join('|');
  }))].sort().join('\\n')`;

/**
 * What a page looks like, in words: what it says, by role, and a digest of its styles. Two machines with different
 * fonts and browsers answer the same, which no two pictures are.
 * @param lines how many lines of it are in the picture
 */
export async function describeLook(page: Page, lines: number): Promise<string> {
  const words = (await page.locator('body').ariaSnapshot()).split('\n').filter((line) => !line.includes('- /url: '));
  const styles: string = await page.evaluate(STYLES);
  const digest = createHash('sha256').update(styles).digest('hex');
  return `${words.slice(0, lines).join('\n')}\nstyles: ${digest}\n`;
}
