// Webhooks and what they have sent, to a receiver on this machine.
import type { Page } from 'playwright-core';
import t from 'tap';
import { assertAccessible, SOME } from '../helpers/accessible.js';
import { assertClean, hasFocus, openBrowser, visit } from '../helpers/browser.js';
import { serve } from '../helpers/dashboard.js';
import { enterKey } from '../helpers/dashboard-keys.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN, ADMIN_KEY, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { type Answerer, startReceiver } from '../helpers/receiver.js';
import { sendWebhooks } from '../helpers/webhooks.js';

const CLIPBOARD = { permissions: ['clipboard-read', 'clipboard-write'] };
const fails: Answerer = (_request, response) => response.writeHead(503).end();
const takes: Answerer = (_request, response) => response.writeHead(204).end();

t.test('webhooks', async (t) => {
  const browser = await openBrowser(t);
  const database = await openPostgres(t);
  const { url, request } = await serve(t, database, WITH_KEYS);
  // What fails is tried again a minute later, unless somebody asks for it.
  sendWebhooks(t, database, { backoff: { waitsMs: [60_000], giveUpMs: 600_000 } });
  const receiver = await startReceiver(t);
  const allocate = (service: string) => request('PUT', `/v1/projects/consilio/services/${service}`, {}, ADMIN);
  const admin = await makeKey(request, 'admin');

  await t.test('are made, and their secret, with which they sign, is shown once', async (t) => {
    const visited = await visit(t, browser, `${url}?view=webhooks`, CLIPBOARD);
    const { page } = visited;
    await enterKey(page, admin.key);
    await page.getByText('Nothing is told of events yet.').waitFor();
    await page.getByRole('button', { name: 'New webhook' }).click();
    t.equal(page.url(), `${url}?view=webhooks&dialog=new-webhook`);
    const form = page.getByRole('dialog', { name: 'New webhook' });
    const make = form.getByRole('button', { name: 'Make the webhook' });
    await form.getByLabel('URL').fill('http://example.com/x');
    await form.getByRole('group', { name: 'Which events' }).getByLabel('Only these').check();
    await make.click();
    await form.getByText('Choose which events it gets, or all.').waitFor();
    await form.getByRole('group', { name: 'Ports allocated and released' }).getByLabel('allocated').check();
    await make.click();
    await form
      .getByRole('alert')
      .getByText(/example\.com/)
      .waitFor();
    await form.getByLabel('URL').fill(receiver.url);
    await form.getByLabel('What it is for').fill('Restarts <b>it</b>');
    await make.click();
    const made = page.getByRole('dialog', { name: 'The webhook is made' });
    receiver.secret = await made.locator('.secret').innerText();
    t.match(receiver.secret, /^whsec_/);
    await made.getByRole('button', { name: 'Copy the secret' }).click();
    t.equal(await page.evaluate('navigator.clipboard.readText()'), receiver.secret);
    await made.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('row', { name: /Restarts <b>it<\/b>.*Ports allocated and released: allocated.*On/ }).waitFor();
    await page.reload();
    await page.getByRole('link', { name: receiver.url }).click();
    await page.getByRole('heading', { name: 'Webhook', exact: true }).waitFor();
    t.match(page.url(), /webhook=[0-9a-f-]{36}$/);
    await page.getByText(/^.*, by admin$/).waitFor();
    t.notMatch(await page.content(), receiver.secret);
    await allocate('first');
    const [first] = await receiver.has(1);
    t.equal(first?.event.type, 'allocation.created', 'signed with that secret');
    await page.getByRole('row', { name: /^Port allocated consilio .*Delivered .*1 204 Send again/ }).waitFor();
    assertClean(t, visited);
  });

  const [{ id }] = (await request('GET', '/v1/webhooks', undefined, ADMIN)).body.items;
  const address = `${url}?view=webhooks&webhook=${id}`;
  const newestDelivery = async () =>
    (await request('GET', `/v1/webhooks/${id}/deliveries?limit=1`, undefined, ADMIN)).body.items[0].id;

  await t.test('show what has failed and why, which is tried at once or sent again', async (t) => {
    const visited = await visit(t, browser, address);
    const { page } = visited;
    await enterKey(page, ADMIN_KEY);
    await page.getByRole('row', { name: /^Port allocated/ }).waitFor();
    receiver.answer = fails;
    await allocate('second');
    const waiting = page.getByRole('row', { name: /To be sent again in .* 1 The receiver answered 503\./ });
    await waiting.waitFor();
    receiver.answer = takes;
    await waiting.getByRole('button', { name: 'Try now: Port allocated' }).click();
    await receiver.has(3);
    await waiting.waitFor({ state: 'detached' });
    await until(page, /Delivered/, 2);

    await page.getByLabel('Status').selectOption('Given up');
    await page.getByText('There is no delivery of this status.').waitFor();
    t.equal(page.url(), `${address}&status=failed`);
    await page.goBack();
    await until(page, /Delivered/, 2);
    const [before] = receiver.received;
    await page.getByRole('button', { name: 'Send again: Port allocated' }).last().click();
    const after = (await receiver.has(4)).at(-1);
    t.equal(after?.id, before?.id, 'the same delivery once more, as its receiver can tell');
    assertClean(t, visited);
  });

  await t.test('are switched off, which gives up what is pending, and on, by the keyboard alone', async (t) => {
    const visited = await visit(t, browser, address);
    const { page } = visited;
    await enterKey(page, ADMIN_KEY);
    receiver.answer = fails;
    await allocate('third');
    await page.getByRole('row', { name: /To be sent again/ }).waitFor();
    const off = page.getByRole('button', { name: 'Switch off' });
    await off.focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Switch the webhook off?' });
    await dialog.getByText('what is still to be sent is given up').waitFor();
    t.equal(page.url(), `${address}&dialog=switch-off-webhook%3A${id}`);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    t.equal(await hasFocus(off), true, 'the focus is back');
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('The webhook is off: nothing more is sent.').waitFor();
    await page.getByText(/Off since/).waitFor();
    const on = page.getByRole('button', { name: 'Switch on' });
    t.equal(await hasFocus(on), true, 'on the button that has taken its place');
    const failed = page.getByRole('row', { name: /Given up .*The webhook was switched off\./ });
    await failed.waitFor();
    await failed.getByRole('button', { name: 'Send again: Port allocated' }).focus();
    await page.keyboard.press('Enter');
    await failed.getByText('The webhook is switched off, so that nothing is sent to it. Switch it on first.').waitFor();

    receiver.answer = takes;
    await on.focus();
    await page.keyboard.press('Enter');
    await page.getByText('The webhook is on: it gets events from now on.').waitFor();
    await failed.getByRole('button', { name: 'Send again: Port allocated' }).focus();
    await page.keyboard.press('Enter');
    await receiver.has(6);
    await until(page, /Delivered/, 3);
    assertClean(t, visited);
  });

  await t.test('are changed', async (t) => {
    const visited = await visit(t, browser, address);
    const { page } = visited;
    await enterKey(page, ADMIN_KEY);
    await page.getByRole('button', { name: 'Change' }).click();
    const form = page.getByRole('dialog', { name: 'Change the webhook' });
    t.equal(await form.getByLabel('URL').inputValue(), receiver.url);
    await page.reload();
    await form.getByLabel('What it is for').fill('');
    await form.getByRole('group', { name: 'Which events' }).getByLabel('All', { exact: true }).check();
    await form.getByRole('group', { name: 'Of which projects' }).getByLabel('Only these').check();
    await form.getByRole('button', { name: 'Save' }).click();
    await form.getByText('Choose of which projects it gets events, or all.').waitFor();
    await form.getByRole('group', { name: 'Projects', exact: true }).getByLabel('odin').check();
    await form.getByRole('button', { name: 'Save' }).click();
    await page.getByText('The webhook was changed. It counts for events from now on.').waitFor();
    await page.getByText('everything', { exact: true }).waitFor();
    t.match((await request('GET', `/v1/webhooks/${id}`, undefined, ADMIN)).body, {
      types: [],
      projects: ['odin'],
      description: null,
    });
    assertClean(t, visited);
  });

  await t.test('show in their list what was sent last, as it is sent', async (t) => {
    const visited = await visit(t, browser, `${url}?view=webhooks`);
    const { page } = visited;
    await enterKey(page, ADMIN_KEY);
    const shown = page.getByRole('row', { name: /Delivered/ }).locator('time');
    const before = await shown.getAttribute('datetime');
    await request('PUT', '/v1/projects/odin/services/last', {}, ADMIN);
    await page.locator(`tr time:not([datetime="${before}"])`).waitFor();
    receiver.answer = fails;
    await request('PUT', '/v1/projects/odin/services/later', {}, ADMIN);
    await page.getByRole('row', { name: /To be sent again in .* The receiver answered 503\./ }).waitFor();
    receiver.answer = takes;
    await request('POST', `/v1/webhooks/${id}/deliveries/${await newestDelivery()}/repeat`, undefined, ADMIN);
    assertClean(t, visited);
  });

  await t.test('have further pages of what was sent, each with an address', async (t) => {
    const services = Array.from({ length: 55 }, (_, i) => ({ service: `s-${i}` }));
    const stack = '/v1/projects/odin/environments/many';
    await request('PUT', stack, { services }, ADMIN);
    await request('DELETE', stack, undefined, ADMIN);
    const visited = await visit(t, browser, address);
    const { page } = visited;
    await enterKey(page, ADMIN_KEY);
    await until(page, /Delivered/, 100);
    await page.getByRole('link', { name: 'Older deliveries' }).click();
    await page.getByRole('link', { name: 'Newest deliveries' }).waitFor();
    await page
      .getByRole('row', { name: /^Port allocated consilio/ })
      .first()
      .waitFor();
    await page.reload();
    await page
      .getByRole('row', { name: /^Port allocated consilio/ })
      .first()
      .waitFor();
    await page.goBack();
    await until(page, /Delivered/, 100);
    assertClean(t, visited);
  });

  await t.test('of a project key are those of its projects, and it is offered no others', async (t) => {
    const { key } = await makeKey(request, 'project', 'consilio');
    const visited = await visit(t, browser, `${url}?view=webhooks`);
    const { page } = visited;
    await enterKey(page, key);
    await page.getByText('Nothing is told of events yet.').waitFor();
    await page.getByRole('button', { name: 'New webhook' }).click();
    const form = page.getByRole('dialog', { name: 'New webhook' });
    t.equal(await form.getByRole('group', { name: 'Of which projects' }).count(), 0);
    await form.getByLabel('URL').fill(receiver.url);
    await form.getByRole('group', { name: 'Projects', exact: true }).getByLabel('consilio').check();
    await form.getByRole('button', { name: 'Make the webhook' }).click();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('link', { name: receiver.url }).click();
    await page.getByText(/^.*, by the key of this page$/).waitFor();
    await page.goto(address);
    await page.getByText('It was deleted, or the link to it is wrong.').waitFor();
    assertClean(t, visited);
  });

  await t.test('are accessible in both themes, on every width', async (t) => {
    const visited = await visit(t, browser, `${url}?view=webhooks`);
    const { page } = visited;
    await enterKey(page, ADMIN_KEY);
    for (const view of ['', `&webhook=${id}`, '&dialog=new-webhook']) {
      await page.goto(`${url}?view=webhooks${view}`);
      await page.getByRole('row').nth(1).waitFor();
      await assertAccessible(t, page, view, view.startsWith('&dialog') ? SOME : undefined);
    }
    assertClean(t, visited);
  });

  await t.test('are deleted, with the list of what was sent', async (t) => {
    const visited = await visit(t, browser, address);
    const { page } = visited;
    await enterKey(page, ADMIN_KEY);
    await page.getByRole('button', { name: 'Delete' }).click();
    const dialog = page.getByRole('dialog', { name: 'Delete the webhook?' });
    await dialog.getByRole('button', { name: 'Keep it' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Delete' }).click();
    await dialog.getByRole('button', { name: 'Delete it' }).click();
    await page.getByText('The webhook is deleted.').waitFor();
    await page.waitForURL(`${url}?view=webhooks`);
    t.not(await page.evaluate('document.activeElement.tagName'), 'BODY', 'the focus is not lost');
    t.equal((await request('GET', `/v1/webhooks/${id}`, undefined, ADMIN)).status, 404);
    await page.goBack();
    await page.getByText('It was deleted, or the link to it is wrong.').waitFor();
    assertClean(t, visited);
  });
});

/** Waits until so many rows have such a name. */
async function until(page: Page, name: RegExp, count: number): Promise<void> {
  await page
    .getByRole('row', { name })
    .nth(count - 1)
    .waitFor();
}
