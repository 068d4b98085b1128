// Keys: made, shown once, copied and revoked, and what becomes of a page whose own key is revoked or may do less.
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import t from 'tap';
import { assertAccessible, SOME } from '../helpers/accessible.js';
import { assertClean, hasFocus, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, serve } from '../helpers/dashboard.js';
import { asAdmin, enterKey } from '../helpers/dashboard-keys.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN, ADMIN_KEY, bearer, expireKey, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { until } from '../helpers/until.js';

const CLIPBOARD = { permissions: ['clipboard-read', 'clipboard-write'] };

/** Whatever the reason is, everything is read again when a stream ends that is younger than 5 s. */
const STEADY_MS = 5500;

t.test('keys', async (t) => {
  const browser = await openBrowser(t);
  const database = await openPostgres(t);
  const { url, request } = await serve(t, database, WITH_KEYS);
  await fillRegistry(asAdmin(request));
  const read = (key: string, path: string) => request('GET', path, undefined, bearer(key));

  t.test('are made, shown once, copied, and are limited as was chosen', async (t) => {
    const visited = await visit(t, browser, `${url}?view=keys`, CLIPBOARD);
    const { page } = visited;
    await enterKey(page, ADMIN_KEY);
    await page.getByText('There is no key yet besides ADMIN_API_KEY.').waitFor();
    await page.getByRole('button', { name: 'New key' }).click();
    t.equal(page.url(), `${url}?view=keys&dialog=new-key`);
    const form = page.getByRole('dialog', { name: 'New key' });
    await form.getByLabel('Name', { exact: true }).fill('deploy <b>consilio</b>');
    await form.getByRole('button', { name: 'Make the key' }).click();
    await form.getByRole('alert').getByText('cannot be used').waitFor();
    t.match(await form.getByRole('group', { name: 'Projects' }).locator('.wrong').innerText(), /project/);
    await form.getByRole('group', { name: 'Projects' }).getByLabel('consilio').check();
    await form.getByText('Limits').click();
    await form.getByLabel('Hosts on which it takes ports').fill('localhost, build-1');
    await form.getByLabel('It sets none at all').check();
    await form.getByLabel('Public hostnames that it sets').fill('shop.example.com');
    await form.getByRole('button', { name: 'Make the key' }).click();
    await form.getByRole('alert').getByText('Either name hostnames, or choose that it sets none.').waitFor();
    await form.getByLabel('Public hostnames that it sets').fill('');
    await form.getByLabel(/^Ends/).fill('2099-01-31T12:00');
    await form.getByRole('button', { name: 'Make the key' }).click();

    const made = page.getByRole('dialog', { name: 'The key deploy <b>consilio</b>' });
    const secret = await made.locator('.secret').innerText();
    t.match(secret, /^pa_[\w-]{40,}$/);
    await made.getByRole('button', { name: 'Copy the key' }).click();
    t.equal(await page.evaluate('navigator.clipboard.readText()'), secret);
    await made.getByRole('button', { name: 'Copy the line with the variable' }).click();
    t.equal(await page.evaluate('navigator.clipboard.readText()'), `PORT_ALLOCATOR_API_KEY=${secret}`);
    await made.getByRole('button', { name: 'Done' }).click();
    await made.waitFor({ state: 'detached' });
    t.equal(page.url(), `${url}?view=keys`);
    const row = page.getByRole('row', { name: /^deploy <b>consilio<\/b>/ });
    await row.waitFor();
    t.match(
      (await row.innerText()).replace(/\s+/g, ' '),
      /Project consilio Ports on localhost, build-1 No hostnames .*, by ADMIN_API_KEY in .* never Revoke/,
    );
    await page.reload();
    await row.waitFor();
    t.notMatch(await page.content(), secret.slice(10), 'it is shown once');

    t.equal((await read(secret, '/v1/allocations?project=consilio')).status, 200);
    t.equal((await read(secret, '/v1/projects/odin/services/query')).status, 403);
    assertClean(t, visited);
  });

  t.test('are made and revoked by the keyboard alone', async (t) => {
    const visited = await visit(t, browser, `${url}?view=keys`);
    const { page } = visited;
    await enterKey(page, ADMIN_KEY);
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const opener = page.getByRole('button', { name: 'New key' });
    await opener.focus();
    await press('Enter');
    await page.getByRole('dialog').waitFor();
    t.equal(await hasFocus(page.getByLabel('Name', { exact: true })), true, 'the first field');
    await page.keyboard.type('eyes');
    await press('Tab', 'ArrowDown');
    await page.getByRole('group', { name: 'Projects' }).waitFor({ state: 'detached' });
    t.equal(await hasFocus(page.getByRole('radio', { name: /^Reader/ })), true);
    await press('Enter');
    await page.getByRole('dialog', { name: 'The key eyes' }).waitFor();
    t.equal(await hasFocus(page.getByRole('button', { name: 'Copy the key' })), true);
    const secret = await page.locator('.secret').innerText();
    await press('Escape');
    await page.getByRole('alert').filter({ hasText: 'gone for ever' }).waitFor();
    await press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    t.equal(await hasFocus(opener), true, 'the focus is back');

    const revoke = page.getByRole('button', { name: 'Revoke eyes' });
    await revoke.focus();
    await press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Revoke this key?' });
    await dialog.waitFor();
    const address = page.url();
    t.match(address, /dialog=revoke-key%3A[0-9a-f-]{36}$/);
    t.equal(await hasFocus(dialog.getByRole('button', { name: 'Keep it' })), true, 'an Enter too many loses nothing');
    await press('Escape');
    await dialog.waitFor({ state: 'detached' });
    t.equal(await hasFocus(revoke), true);
    t.equal((await read(secret, '/v1/ranges')).status, 200);

    await press('Enter');
    await dialog.waitFor();
    await page.reload();
    await dialog.waitFor();
    await press('Tab');
    t.equal(await hasFocus(dialog.getByRole('button', { name: 'Revoke it' })), true);
    await press('Enter');
    await page.getByText('The key eyes is revoked.').waitFor();
    await revoke.waitFor({ state: 'detached' });
    t.not(await page.evaluate('document.activeElement.tagName'), 'BODY', 'the focus is not lost');
    await until(async () => (await read(secret, '/v1/ranges')).status === 401);
    await page.goto(address);
    await page.getByText('The key is gone: somebody was faster, or the link to it is old.').waitFor();
    await press('Enter');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    assertClean(t, visited);
  });

  t.test('that others make, change and revoke are shown live', async (t) => {
    const visited = await visit(t, browser, `${url}?view=keys&sort=-name`);
    const { page } = visited;
    await enterKey(page, ADMIN_KEY);
    await page.getByRole('row', { name: /^deploy/ }).waitFor();
    const { id } = await makeKey(request, 'project', 'odin');
    const row = page.getByRole('row', { name: /^project odin/ });
    await row.getByText('never', { exact: true }).first().waitFor();
    await sql`update api_keys set projects = '{odin,consilio}' where id = ${id}`.execute(database.db);
    await row.getByText('odin, consilio').waitFor();
    await expireKey(database, id);
    await row.getByText('expired').waitFor();
    await request('DELETE', `/v1/api-keys/${id}`, undefined, ADMIN);
    await row.waitFor({ state: 'detached' });
    assertClean(t, visited);
  });

  t.test('of a page that is revoked is asked for again, and nothing stays that it let see', async (t) => {
    const [own, reader] = [await makeKey(request, 'admin'), await makeKey(request, 'reader')];
    const visited = await visit(t, browser, `${url}?view=keys`);
    const { page } = visited;
    await enterKey(page, own.key);
    await page.getByRole('row', { name: /^admin \(of this page\)/ }).waitFor();
    await page.getByRole('button', { name: 'Revoke admin' }).click();
    await page.getByText('This page uses it, and will ask for another one.').waitFor();
    await page.getByRole('button', { name: 'Revoke it' }).click();
    const prompt = page.getByRole('dialog', { name: 'This registry needs a key' });
    await prompt.getByText('The key that was sent is not valid here.').waitFor();
    await page.getByRole('row').first().waitFor({ state: 'detached' });
    t.equal(await hasFocus(prompt.getByLabel('Key')), true);
    await enterKey(page, reader.key);
    await page.getByText('It takes a key with the role admin to see keys, to make them, and to revoke them.').waitFor();
    t.equal(page.url(), `${url}?view=keys`, 'the page goes on where it was');
    assertClean(t, visited);
  });

  t.test('of a page that may do less from now on leave on the screen only what they may see', async (t) => {
    const { id, key } = await makeKey(request, 'admin');
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await enterKey(page, key);
    const service = (name: string) => page.getByRole('link', { name, exact: true }).first();
    await service('supervisor').waitFor();
    await page.getByRole('button', { name: 'Run an audit' }).waitFor();
    await sleep(STEADY_MS);
    const change = (role: string, projects: string[]) =>
      sql`update api_keys set role = ${role}, projects = ${projects} where id = ${id}`.execute(database.db);
    await change('project', ['consilio', 'odin']);
    await service('supervisor').waitFor({ state: 'detached' });
    await service('worker').waitFor();
    await service('ingest').waitFor();
    await change('project', ['odin']);
    await service('worker').waitFor({ state: 'detached' });
    await service('ingest').waitFor();
    await change('reader', []);
    await service('worker').waitFor();
    await page.getByRole('button', { name: 'Run an audit' }).waitFor({ state: 'detached' });
    assertClean(t, visited);
  });

  t.test('and their dialogs are accessible in both themes, on every width', async (t) => {
    const visited = await visit(t, browser, `${url}?view=keys`);
    const { page } = visited;
    await enterKey(page, ADMIN_KEY);
    await page.getByRole('row', { name: /^deploy/ }).waitFor();
    for (const dialog of [null, 'New key', 'Revoke deploy <b>consilio</b>']) {
      if (dialog !== null) await page.getByRole('button', { name: dialog }).click();
      await assertAccessible(t, page, dialog ?? 'the list', dialog === null ? undefined : SOME);
      if (dialog !== null) await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    assertClean(t, visited);
  });
});
