import type { Page } from 'playwright-core';

/** What the rows in sight have in a column, from the top. */
export const namesOf = (page: Page): Promise<string[]> => page.locator('tr.port .column-service').allInnerTexts();
export const portsOf = (page: Page): Promise<string[]> => page.locator('tr.port .column-port').allInnerTexts();
