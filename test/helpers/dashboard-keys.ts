// The dashboard with keys in force.
import type { Browser, Page } from 'playwright-core';
import type { Test } from 'tap';
import type { requester } from './app.js';
import { type Visit, visit } from './browser.js';
import { ADMIN } from './keys.js';

/** Opens a page of the dashboard, and enters a key when it asks for one. */
export async function visitWithKey(t: Test, browser: Browser, url: string, key: string): Promise<Visit> {
  const visited = await visit(t, browser, url);
  await enterKey(visited.page, key);
  return visited;
}

/** Enters a key on a page of the dashboard that asks for one. */
export async function enterKey(page: Page, key: string): Promise<void> {
  const prompt = page.getByRole('dialog', { name: 'This registry needs a key' });
  await prompt.getByLabel('Key').fill(key);
  await prompt.getByLabel('Key').press('Enter');
  await prompt.waitFor({ state: 'detached' });
  await page.getByText('Live', { exact: true }).waitFor();
}

/** Requests of an administrator, for helpers that send none of their own keys. */
export function asAdmin(request: ReturnType<typeof requester>): ReturnType<typeof requester> {
  return (method, path, body, headers = {}) => request(method, path, body, { ...ADMIN, ...headers });
}
