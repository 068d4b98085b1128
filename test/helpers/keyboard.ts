// The page as people use it who have no mouse.
import type { Page } from 'playwright-core';
import { until } from './until.js';

/** More stops than any view has before what a test looks for. */
const MOST_STOPS = 150;

/** What users of screen readers are told of the element that has the focus; `BODY` if none has. */
const NAME = `(() => {
  const { ariaLabel, labels, textContent, tagName } = document.activeElement;
  if (tagName === 'BODY') return tagName;
  const label = labels?.[0];
  const name = ariaLabel ?? (label ? label.firstChild.textContent || label.textContent : textContent);
  return name.replace(/\\s+/g, ' ').trim();
})()`;

export const focused = (page: Page): Promise<string> => page.evaluate<string>(NAME);

/** Goes on by Tab, from wherever the focus is, until an element of this name has it. */
export async function tabTo(page: Page, name: string | RegExp, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
  const stops: string[] = [];
  for (let stop = 0; stop < MOST_STOPS; stop++) {
    await page.keyboard.press(key);
    const current = await focused(page);
    if (isNamed(current, name)) return;
    stops.push(current);
  }
  throw new Error(`${name} is not among the stops: ${stops.join(' | ')}`);
}

/** Waits until an element of this name has the focus, because a dialog that closes gives it back a moment later. */
export async function untilFocused(page: Page, name: string | RegExp): Promise<void> {
  await until(async () => isNamed(await focused(page), name)).catch(async () => {
    throw new Error(`the focus is on ${await focused(page)}, and not on ${name}`);
  });
}

const isNamed = (current: string, name: string | RegExp) =>
  typeof name === 'string' ? current === name : name.test(current);
