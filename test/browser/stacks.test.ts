// A whole stack at once, and when an environment expires.
import t from 'tap';
import { assertAccessible } from '../helpers/accessible.js';
import { assertClean, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { tabTo, untilFocused } from '../helpers/keyboard.js';

const CLIPBOARD = { permissions: ['clipboard-read', 'clipboard-write'] };

t.test('a stack', async (t) => {
  const browser = await openBrowser(t);
  const { url, request } = await serve(t, await openPostgres(t));
  await fillRegistry(request);
  const address = `${url}?view=environments&project=odin`;
  const environmentOf = async (name: string) =>
    (await request('GET', '/v1/environments?project=odin')).body.items.find(
      ({ environment }: { environment: string }) => environment === name,
    );
  const portsOf = async (environment: string) => {
    const { items } = (await request('GET', `/v1/allocations?project=odin&environment=${environment}`)).body;
    return items.map(({ service, host, port }: Record<string, unknown>) => `${service} ${host} ${port}`);
  };

  await t.test('is got at once on the host that was named, shown, and copied as .env', async (t) => {
    const visited = await visit(t, browser, address, CLIPBOARD);
    const { page } = visited;
    await page.getByRole('button', { name: 'Get a stack' }).click();
    t.equal(page.url(), `${address}&dialog=get-stack%3Aodin`);
    await page.reload();
    const form = page.getByRole('dialog', { name: 'Get a stack' });
    t.equal(await form.getByLabel('Project').inputValue(), 'odin');
    await form.getByLabel('Environment').fill('feature-y');
    await form.getByLabel('Services').fill('web, Web-App');
    await form.getByRole('button', { name: 'Get them' }).click();
    await form.getByRole('alert').getByText('Something of what was entered cannot be used. Use web-app').waitFor();
    t.equal(await form.getByLabel('Services').getAttribute('aria-invalid'), 'true');
    t.same(await portsOf('feature-y'), [], 'all or nothing');
    await form.getByLabel('Services').fill('web\napi, search-index\nweb');
    await form.getByLabel('Host').fill('build-1');
    await form.getByRole('button', { name: 'Get them' }).click();
    const given = page.getByRole('dialog', { name: '3 ports for odin/feature-y' });
    await given.getByText('On build-1, TCP.').waitFor();
    t.same(await given.getByRole('listitem').allInnerTexts(), ['3301 web', '3302 api', '3303 search-index']);
    t.same(await portsOf('feature-y'), ['web build-1 3301', 'api build-1 3302', 'search-index build-1 3303']);
    await given.getByRole('button', { name: 'Copy the .env lines' }).click();
    t.equal(
      await page.evaluate('navigator.clipboard.readText()'),
      'API_PORT=3302\nSEARCH_INDEX_PORT=3303\nWEB_PORT=3301\n',
    );
    await given.getByRole('button', { name: 'Done' }).click();
    await given.waitFor({ state: 'detached' });
    t.equal(page.url(), address);
    await page.getByRole('row', { name: /^feature-y odin/ }).waitFor();
    await page.getByRole('button', { name: 'Get a stack' }).click();
    await page.goBack();
    await form.waitFor({ state: 'detached' });
    assertClean(t, visited);
  });

  await t.test('is got by the keyboard alone, and services that have a port keep it', async (t) => {
    const visited = await visit(t, browser, `${url}?view=environments`);
    const { page } = visited;
    await page.getByRole('row', { name: /^feature-y/ }).waitFor();
    await tabTo(page, 'Get a stack');
    await page.keyboard.press('Enter');
    await untilFocused(page, /^Project/);
    await page.keyboard.type('odin');
    await tabTo(page, /^Environment/);
    await page.keyboard.type('feature-y');
    await tabTo(page, /^Services/);
    await page.keyboard.type('worker\nweb');
    await tabTo(page, /^Host/);
    await page.keyboard.press('Control+A');
    await page.keyboard.type('build-1');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: '2 ports for odin/feature-y' }).waitFor();
    t.same(await page.getByRole('dialog').getByRole('listitem').allInnerTexts(), ['3304 worker', '3301 web']);
    await page.keyboard.press('Escape');
    await untilFocused(page, 'Get a stack');
    t.equal(page.url(), `${url}?view=environments`);
    assertClean(t, visited);
  });

  await t.test('expires when somebody has chosen it, and never again once that is taken back', async (t) => {
    const visited = await visit(t, browser, address);
    const { page } = visited;
    const row = page.getByRole('row', { name: /^feature-y/ });
    await row.getByText('never', { exact: true }).waitFor();
    const held = await portsOf('feature-y');
    await row.getByRole('button', { name: 'Set expiry of odin/feature-y' }).click();
    t.equal(page.url(), `${address}&dialog=expire-environment%3Aodin%2Ffeature-y`);
    await page.reload();
    const dialog = page.getByRole('dialog', { name: 'When odin/feature-y expires' });
    await dialog.getByText('Until now it never does.').waitFor();
    await dialog.getByLabel('Expires').selectOption({ label: '7 days after its last use' });
    await dialog.getByLabel(/^Release its ports/).check();
    await dialog.getByRole('button', { name: 'Save' }).click();
    await page.getByText('odin/feature-y expires 7 days after its last use, and is released then.').waitFor();
    await row.getByText('in 7 days').waitFor();
    await row.getByText('released then, if unused').waitFor();
    t.match(await environmentOf('feature-y'), { expiresAfterSeconds: 604_800, onExpiry: 'release' });
    t.equal(page.url(), address);

    await tabTo(page, 'Set expiry of odin/feature-y');
    await page.keyboard.press('Enter');
    await dialog.getByText('Until now it expires').waitFor();
    t.ok(await dialog.getByLabel(/^Release its ports/).isChecked(), 'what is chosen now');
    await untilFocused(page, /^Expires/);
    await page.keyboard.type('Never');
    await dialog.getByRole('group', { name: 'Then' }).waitFor({ state: 'detached' });
    await page.keyboard.press('Enter');
    await tabTo(page, 'Save');
    await page.keyboard.press('Enter');
    await page.getByText('odin/feature-y never expires.').waitFor();
    await untilFocused(page, 'Set expiry of odin/feature-y');
    await row.getByText('never', { exact: true }).waitFor();
    t.match(await environmentOf('feature-y'), { expiresAfterSeconds: null, onExpiry: null });
    t.same(await portsOf('feature-y'), held, 'nothing was allocated for it');
    await page.goto(`${address}&dialog=expire-environment:odin/no-such`);
    await page.getByRole('dialog', { name: 'It is not there any more' }).waitFor();
    assertClean(t, visited);
  });

  await t.test('has dialogs that are accessible in both themes on every width', async (t) => {
    const visited = await visit(t, browser, `${address}&dialog=get-stack:odin/feature-y`);
    const { page } = visited;
    await page.getByRole('dialog').waitFor();
    await assertAccessible(t, page, 'getting a stack');
    await page.getByRole('dialog').getByLabel('Services').fill('web');
    await page.getByRole('button', { name: 'Get them' }).click();
    await page.getByRole('dialog', { name: '1 port for odin/feature-y' }).waitFor();
    await assertAccessible(t, page, 'the ports of a stack');
    await page.goto(`${address}&dialog=expire-environment:odin/feature-y`);
    await page.getByLabel('Expires', { exact: true }).selectOption({ label: '90 days after its last use' });
    await assertAccessible(t, page, 'when it expires');
    assertClean(t, visited);
  });
});
