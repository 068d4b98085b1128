import { sql } from 'kysely';
import t from 'tap';
import { assertAccessible, SOME } from '../helpers/accessible.js';
import { assertClean, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, PROBED, serve } from '../helpers/dashboard.js';
import { visitWithKey } from '../helpers/dashboard-keys.js';
import { openPostgres } from '../helpers/database.js';
import { focused, tabTo, untilFocused } from '../helpers/keyboard.js';
import { ADMIN, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { listen } from '../helpers/listeners.js';

/** Of this process, which listens in the place of a service: an audit calls one from elsewhere a stranger. */
const FOLDER = process.cwd();
const CLIPBOARD = { permissions: ['clipboard-read', 'clipboard-write'] };

t.test('the environments', async (t) => {
  const browser = await openBrowser(t);
  const database = await openPostgres(t);
  const { url, request } = await serve(t, database);
  await fillRegistry(request);
  const services = ['web', 'api', 'worker'].map((service) => ({ service }));
  const featureX = { services, path: FOLDER, expiresAfterSeconds: 604_800, onExpiry: 'release' };
  const { body } = await request('PUT', '/v1/projects/odin/environments/feature-x', featureX);
  const ports: number[] = body.items.map(({ port }: { port: number }) => port);
  await request('PUT', '/v1/projects/odin/services/web?environment=feature-x&host=build-1', {});
  await sql`update port_allocations set allocated_at = allocated_at - interval '40 days'
    where environment = 'staging'`.execute(database.db);
  await listen(t, PROBED, ports[1]);
  t.equal((await request('POST', '/v1/audits', { project: 'odin' })).body.inUse, 1);
  const environmentOf = async (name: string) =>
    (await request('GET', '/v1/environments?project=odin')).body.items.find(
      ({ environment }: { environment: string }) => environment === name,
    );

  await t.test('tell what each holds, since when, in which folder, and when it was last used', async (t) => {
    const visited = await visit(t, browser, `${url}?view=environments`, CLIPBOARD);
    const { page } = visited;
    await page.getByText('10 environments of all projects that hold ports on every host, TCP and UDP.').waitFor();
    const row = page.getByRole('row', { name: /^feature-x/ });
    const text = (await row.innerText()).replace(/\s+/g, ' ');
    t.match(text, `feature-x odin 4 1 in use 1 on build-1 TCP, 3 on localhost TCP ${FOLDER} Copy`);
    t.match(text, /(now|\d+ \w+ ago) (now|\d+ \w+ ago) in 7 days released then, if unused Set expiry Release all$/);
    const staging = page.getByRole('row', { name: /^staging/ });
    await staging.getByText('40 days ago').waitFor();
    await staging.getByText('not seen in use').waitFor();
    await staging.getByText('never', { exact: true }).waitFor();
    await row.getByRole('button', { name: 'Copy the folder' }).click();
    t.equal(await page.evaluate('navigator.clipboard.readText()'), FOLDER);
    await row.getByRole('link', { name: 'feature-x' }).click();
    t.equal(page.url(), `${url}?project=odin&environment=feature-x`);
    await page.getByText('Showing 4 of 224').waitFor();
    await page.goBack();
    await row.waitFor();
    assertClean(t, visited);
  });

  await t.test('are filtered and sorted, which the address keeps through reload and back', async (t) => {
    const visited = await visit(t, browser, `${url}?view=environments`);
    const { page } = visited;
    const names = async () => (await page.getByRole('rowheader').allInnerTexts()).map((name) => name.trim());
    await page.getByLabel('Project').selectOption('odin');
    await page.getByText(/^2 environments of odin that hold ports on every host/).waitFor();
    await page.getByRole('button', { name: 'Environment', exact: true }).click();
    await page.getByRole('button', { name: 'Environment', exact: true }).click();
    t.same(await names(), ['feature-x', 'default']);
    await page.reload();
    await page.getByText(/^2 environments of odin/).waitFor();
    t.equal(page.url(), `${url}?view=environments&project=odin&sort=-environment`);
    t.same(await names(), ['feature-x', 'default'], 'the same after a reload');
    await page.getByLabel('Host').selectOption('build-1');
    await page.getByText('2 environments of odin that hold ports on build-1, TCP and UDP.').waitFor();
    const row = page.getByRole('row', { name: /^feature-x/ });
    t.match((await row.innerText()).replace(/\s+/g, ' '), /^feature-x odin 1 1 on build-1 TCP /, 'of that host alone');
    for (let back = 0; back < 4; back++) await page.goBack();
    await page.getByText(/^10 environments of all projects/).waitFor();
    t.equal(page.url(), `${url}?view=environments`);

    await page.getByLabel('Used').selectOption('30');
    await page.getByText(/^1 environment of all projects/).waitFor();
    t.same(await names(), ['staging']);
    await page.getByText(/no probe has found any of their ports listening, and none was allocated/).waitFor();
    await page.getByLabel('Used').selectOption('90');
    await page.getByText('No environment is like that.').waitFor();
    t.equal(page.url(), `${url}?view=environments&unused=90`);
    assertClean(t, visited);
  });

  await t.test('are released as a whole on every host, and taken back with folder and expiry', async (t) => {
    const visited = await visit(t, browser, `${url}?view=environments&project=odin`);
    const { page } = visited;
    const row = page.getByRole('row', { name: /^feature-x/ });
    const dialog = page.getByRole('dialog', { name: 'Release all of odin/feature-x?' });
    await row.getByRole('button', { name: 'Release all of odin/feature-x' }).click();
    await dialog.getByText('It gives up 4 ports: 1 on build-1 TCP, 3 on localhost TCP.').waitFor();
    await dialog.getByText(`something was listening on 1 of them: api ${ports[1]}. Stop that first.`).waitFor();
    await page.reload();
    t.equal(page.url(), `${url}?view=environments&project=odin&dialog=release-environment%3Aodin%2Ffeature-x`);
    await dialog.getByRole('button', { name: 'Keep it' }).click();
    await dialog.waitFor({ state: 'detached' });
    t.equal((await environmentOf('feature-x')).ports, 4);
    await row.getByRole('button', { name: 'Release all of odin/feature-x' }).click();
    await page.goBack();
    await dialog.waitFor({ state: 'detached' });
    await row.getByRole('button', { name: 'Release all of odin/feature-x' }).click();
    const before = await environmentOf('feature-x');
    await dialog.getByRole('button', { name: 'Release 4 ports' }).click();
    await page.getByText('4 ports were released.').waitFor();
    await row.waitFor({ state: 'detached' });
    t.equal(await environmentOf('feature-x'), undefined);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('4 ports of 4 are held again.').waitFor();
    await row.getByText(FOLDER).waitFor();
    const { path, expiresAfterSeconds, onExpiry } = before;
    t.match(await environmentOf('feature-x'), { ports: 4, path, expiresAfterSeconds, onExpiry });
    const { items } = (await request('GET', '/v1/allocations?environment=feature-x&host=localhost')).body;
    t.same(
      items.map(({ port, service }: { port: number; service: string }) => [service, port]),
      ['web', 'api', 'worker'].map((service, i) => [service, ports[i]]),
      'the same numbers',
    );
    assertClean(t, visited);
  });

  await t.test('are released by the keyboard alone, which never loses the focus', async (t) => {
    const visited = await visit(t, browser, `${url}?view=environments&sort=environment`);
    const { page } = visited;
    const release = 'Release all of consilio/feature-login';
    await page.getByRole('button', { name: release }).waitFor();
    await tabTo(page, 'Project');
    await page.keyboard.type('consilio');
    await page.getByText(/^3 environments of consilio/).waitFor();
    t.equal(page.url(), `${url}?view=environments&sort=environment&project=consilio`);
    await tabTo(page, release);
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: `${release}?` });
    await dialog.waitFor();
    t.equal(await focused(page), 'Keep it', 'an Enter too many loses nothing');
    await page.keyboard.press('Escape');
    await untilFocused(page, release);
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await page.keyboard.press('Tab');
    t.equal(await focused(page), 'Release 6 ports');
    await page.keyboard.press('Enter');
    await page.getByText('6 ports were released.').waitFor();
    await untilFocused(page, 'staging');
    const taken = await request('POST', '/v1/projects/consilio/allocations', { service: 'faster', port: 3113 });
    t.equal(taken.status, 201);
    await tabTo(page, 'Undo');
    await page.keyboard.press('Enter');
    const words = '5 ports of 6 are held again. Not any more to be had: 3113 (consilio/web).';
    await page.getByText(words).waitFor();
    await page.getByRole('button', { name: release }).waitFor();
    t.not(await focused(page), 'BODY', 'the button has gone, and the focus not with it');
    assertClean(t, visited);
  });

  await t.test('come and go as others allocate and release, and a release of nothing says so', async (t) => {
    const visited = await visit(t, browser, `${url}?view=environments&project=odin`);
    const { page } = visited;
    const row = page.getByRole('row', { name: /^preview/ });
    await page.getByText(/^2 environments of odin/).waitFor();
    await request('PUT', '/v1/projects/odin/services/web?environment=preview', {});
    await row.getByRole('button', { name: 'Release all of odin/preview' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('It gives up 1 port on localhost TCP.').waitFor();
    await dialog.getByRole('button', { name: 'Keep it' }).click();
    await request('DELETE', '/v1/projects/odin/environments/preview');
    await row.waitFor({ state: 'detached' });
    await page.goto(`${url}?view=environments&dialog=release-environment:odin/preview`);
    await dialog.getByText('The environment is gone: somebody was faster, or the link to it is old.').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page.waitForURL(`${url}?view=environments`);
    assertClean(t, visited);
  });

  t.test('are accessible in both themes, on every width', async (t) => {
    const visited = await visit(t, browser, `${url}?view=environments`);
    const { page } = visited;
    await page.getByRole('row', { name: /^feature-x/ }).waitFor();
    await assertAccessible(t, page, 'the list');
    await page.getByRole('button', { name: 'Release all of odin/feature-x' }).click();
    await page.getByRole('dialog').waitFor();
    await assertAccessible(t, page, 'releasing one', SOME);
    assertClean(t, visited);
  });

  t.test('offer to release only what the key may', async (t) => {
    const keyed = await serve(t, await openPostgres(t), WITH_KEYS);
    for (const project of ['odin', 'consilio']) {
      await keyed.request('PUT', `/v1/projects/${project}/services/web`, {}, ADMIN);
    }
    const address = `${keyed.url}?view=environments`;
    const reader = (await makeKey(keyed.request, 'reader')).key;
    const visited = await visitWithKey(t, browser, address, reader);
    const { page } = visited;
    await page.getByText(/^2 environments of all projects/).waitFor();
    await page.getByRole('row', { name: /^default odin/ }).waitFor();
    t.equal(await page.getByRole('button', { name: /^Release/ }).count(), 0);
    await page.goto(`${address}&dialog=release-environment:odin/default`);
    await page.getByRole('button', { name: 'Release 1 port' }).click();
    const refusal = 'This key has the role reader, which changes nothing.';
    await page.getByRole('alert').getByText(refusal).waitFor();
    assertClean(t, visited);

    const odin = (await makeKey(keyed.request, 'project', 'odin')).key;
    const other = await visitWithKey(t, browser, address, odin);
    await other.page.getByText(/^1 environment of the projects that this key covers/).waitFor();
    t.same(await other.page.getByLabel('Project').locator('option').allInnerTexts(), ['All projects', 'odin']);
    await other.page.getByRole('button', { name: 'Release all of odin/default' }).click();
    await other.page.getByRole('button', { name: 'Release 1 port' }).click();
    await other.page.getByText('Port 3300 was released.').waitFor();
    assertClean(t, other);
  });
});
