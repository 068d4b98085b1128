// What the page says when it may not, cannot or need not show a registry full of services.
import type { Route } from 'playwright-core';
import t from 'tap';
import { assertClean, cell, findViolations, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { openGate } from '../helpers/gate.js';
import { ADMIN_KEY, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { emptyRegistry } from '../helpers/registry.js';

t.test('states of the registry and of the service', async (t) => {
  const browser = await openBrowser(t);

  t.test('a registry without ranges lets somebody with a mouse make a project, and get a port', async (t) => {
    const database = await openPostgres(t);
    await emptyRegistry(database.db);
    const { url } = await serve(t, database);
    const visited = await visit(t, browser, url);
    const { page } = visited;
    const dialog = page.getByRole('dialog');
    await page.getByRole('heading', { name: 'This registry has no ranges yet' }).waitFor();
    t.same(await findViolations(page), []);
    t.notMatch(await page.locator('body').innerText(), /POST|\/v1\//, 'nobody is told what to send');

    await page.getByRole('button', { name: 'Get a port' }).click();
    await dialog.getByLabel('Project').fill('freya');
    await dialog.getByLabel('Service').fill('web');
    await dialog.getByRole('button', { name: 'Get it' }).click();
    await dialog.getByRole('alert').getByText('Create it first, with “New project”.').waitFor();
    t.notMatch(await dialog.innerText(), /POST|PUT|\/v1\//);
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'New project' }).click();
    await dialog.getByLabel('Name').fill('freya');
    // What was created is told as such, also if the ranges cannot be read at once.
    const cut = (route: Route) => (route.request().method() === 'GET' ? route.abort() : route.continue());
    await page.route('**/v1/ranges**', cut, { times: 1 });
    await dialog.getByRole('button', { name: 'Create it' }).click();
    await page.locator('.notice').getByText('freya has ports 3000 to 3099.').waitFor();
    await page.getByRole('heading', { name: 'freya', exact: true }).waitFor();
    await page.getByRole('main').getByRole('button', { name: 'Get a port' }).click();
    t.equal(await dialog.getByLabel('Project').inputValue(), 'freya');
    await dialog.getByLabel('Service').fill('web');
    await dialog.getByRole('button', { name: 'Get it' }).click();
    await page.locator('.notice').getByText('freya/web has port 3000.').waitFor();
    await page.getByRole('link', { name: 'Services', exact: true }).click();
    await page.getByRole('row', { name: /3000 web freya default localhost Not checked yet/ }).waitFor();
    assertClean(t, visited);
  });

  t.test('sixty ranges come while the page is open, and two thousand ports that are held are all there', async (t) => {
    const database = await openPostgres(t);
    await emptyRegistry(database.db);
    const { url, request } = await serve(t, database);
    await request('POST', '/v1/ranges', { project: 'only' });
    const visited = await visit(t, browser, `${url}?view=map`);
    const { page } = visited;
    await page.getByRole('article', { name: 'only' }).waitFor();
    for (let i = 0; i < 59; i++) await request('POST', '/v1/ranges', { project: `project-${i % 50}` });
    await page.getByRole('article', { name: 'project-49' }).waitFor();
    await page.locator('.card').nth(50).waitFor();
    await page.locator('.grid').nth(59).waitFor();
    t.equal(await page.locator('.card').count(), 51, 'nine projects have two ranges');
    t.equal(await page.locator('.grid').count(), 60);
    await request('POST', '/v1/ranges', { project: 'big', kind: 'shared', startPort: 20_000 });
    await request('POST', '/v1/ranges', { project: 'big', kind: 'shared', startPort: 21_000 });
    for (const from of [0, 1000]) {
      const services = Array.from({ length: 1000 }, (_, i) => ({ service: `s${from + i}` }));
      t.equal((await request('PUT', '/v1/projects/big/environments/default', { services })).status, 201);
    }
    await page.goto(url);
    await page.getByText('2,000 ports, held or reserved').waitFor();
    await page.getByRole('row', { name: /big 2,000 of 2,000 held on localhost, TCP Full/ }).waitFor();
    await page.getByRole('searchbox', { name: 'Search' }).fill('8901');
    await page.getByText(/^8901 is free on localhost, TCP, in the range of project-/).waitFor();
    assertClean(t, visited);
  });

  t.test('a key that is needed is asked for, and kept for the tab', async (t) => {
    const gate = await openGate(t, (await serve(t, await openPostgres(t), WITH_KEYS)).url);
    const { url } = gate;
    const visited = await visit(t, browser, url);
    const { page } = visited;
    const prompt = page.getByRole('dialog', { name: 'This registry needs a key' });
    await prompt.waitFor();
    t.same(await findViolations(page), []);
    await prompt.getByLabel('Key').fill('x'.repeat(40));
    await page.keyboard.press('Enter');
    await prompt.getByText('The key that was sent is not valid here.').waitFor();
    await prompt.getByLabel('Key').fill(ADMIN_KEY);
    await page.keyboard.press('Enter');
    await page.getByText('Nothing is held yet.').waitFor();
    await page.reload();
    await page.getByText('Nothing is held yet.').waitFor();
    const other = await page.context().newPage();
    await other.goto(url);
    await other.getByRole('dialog', { name: 'This registry needs a key' }).waitFor();
    await page.getByRole('button', { name: 'Forget the key' }).click();
    await prompt.waitFor();
    t.equal(await page.getByText('Nothing is held yet.').count(), 0, 'what the key let see is gone');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Enter the key' }).click();
    await prompt.getByLabel('Key').fill(ADMIN_KEY);
    await page.keyboard.press('Enter');
    await page.getByText('Nothing is held yet.').waitFor();
    gate.cut();
    await page.getByText('Below is what was read last.').waitFor();
    await page.getByRole('button', { name: 'Forget the key' }).click();
    await page.getByText('Nothing is held yet.').waitFor({ state: 'detached' });
    await page.getByRole('alert').getByText('The registry cannot be read').waitFor();
    t.equal(await page.getByText('Below is what was read last.').count(), 0, 'not even while the service is away');
    assertClean(t, visited);
  });

  t.test('a browser that keeps nothing for sites shows the page, which has its key until it is closed', async (t) => {
    const { url } = await serve(t, await openPostgres(t), WITH_KEYS);
    const visited = await visit(t, browser, 'about:blank');
    const { page } = visited;
    await page.addInitScript(`for (const place of ['localStorage', 'sessionStorage']) {
      Object.defineProperty(window, place, { get() { throw new DOMException('blocked', 'SecurityError'); } });
    }`);
    await page.goto(url);
    await page.getByRole('dialog').getByLabel('Key').fill(ADMIN_KEY);
    await page.keyboard.press('Enter');
    await page.getByText('Nothing is held yet.').waitFor();
    await page.keyboard.press('/');
    await page.getByRole('combobox', { name: 'What to go to, or to do' }).fill('do not open this');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Search, or do something' }).getByText('Ctrl K').waitFor();
    assertClean(t, visited);
  });

  t.test('a key that may only read shows everything, and is told why it may do nothing', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t), WITH_KEYS);
    const held = await request('PUT', '/v1/projects/odin/services/web', {}, { authorization: `Bearer ${ADMIN_KEY}` });
    const { id, key } = await makeKey(request, 'reader');
    const visited = await visit(t, browser, 'about:blank');
    const { page } = visited;
    const dialog = page.getByRole('dialog');
    await page.addInitScript(`sessionStorage.setItem('port-allocator-key', '${key}')`);
    await page.goto(`${url}?dialog=release:${held.body.id}`);
    await page.getByRole('button', { name: `Release ${held.body.port}` }).click();
    await dialog.getByRole('alert').getByText('Ask whoever runs the registry for a key that may do it.').waitFor();
    t.notMatch(await dialog.innerText(), /DELETE|\/v1\//);
    await dialog.getByRole('button', { name: 'Keep it' }).click();
    await page.getByRole('row', { name: /web odin/ }).waitFor();
    await page.getByRole('link', { name: 'Keys', exact: true }).click();
    await page.getByText(/so that none are shown/).waitFor();
    t.same(await findViolations(page), []);

    // It is revoked while the page is open.
    await page.getByRole('link', { name: 'Services', exact: true }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    await request('DELETE', `/v1/api-keys/${id}`, undefined, { authorization: `Bearer ${ADMIN_KEY}` });
    await page.getByRole('dialog', { name: 'This registry needs a key' }).waitFor();
    await page.getByRole('row').first().waitFor({ state: 'detached' }); // what the key let see is gone
    await dialog.getByLabel('Key').fill(ADMIN_KEY);
    await page.keyboard.press('Enter');
    await page.getByRole('row', { name: /web odin/ }).waitFor();
    assertClean(t, visited);
  });

  t.test('a view or a dialog that fails leaves the rest of the page as it is', async (t) => {
    const { url } = await serve(t, await openPostgres(t), WITH_KEYS);
    const { page, problems } = await visit(t, browser, 'about:blank');
    const main = page.getByRole('main');
    const failed = page.getByRole('dialog', { name: 'This dialog has failed' });
    await page.addInitScript(`sessionStorage.setItem('port-allocator-key', '${ADMIN_KEY}')`);
    const answer = { items: [null], nextCursor: null };
    await page.route('**/v1/api-keys?*', (route) => route.fulfill({ json: answer }));
    await page.goto(`${url}?view=keys`);
    await main.getByRole('alert').getByText('This view has failed').waitFor();
    t.same(await findViolations(page), []);
    await page.getByRole('link', { name: 'Map', exact: true }).click();
    await main.getByRole('heading', { name: 'Map' }).waitFor();
    await page.goBack();
    await main.getByText('This view has failed').waitFor();

    await page.route('**/v1/ports/*/history?*', (route) => route.fulfill({ json: answer }));
    await page.goto(`${url}?view=map&port=3100`);
    const details = page.getByRole('complementary', { name: 'Port' });
    await details.getByText('This view has failed').waitFor();
    await details.getByRole('button', { name: 'Close the details' }).click();
    await details.waitFor({ state: 'detached' });
    await main.getByRole('heading', { name: 'Map' }).waitFor();

    await page.goto(`${url}?dialog=revoke-key:1`);
    await failed.waitFor();
    t.same(await findViolations(page), []);
    await failed.getByRole('button', { name: 'Close' }).click();
    await failed.waitFor({ state: 'detached' });
    await page.getByRole('banner').getByRole('button', { name: 'Get a port' }).click();
    await page.getByRole('dialog', { name: 'Get a port' }).waitFor();
    await page.unroute('**/v1/api-keys?*');
    await page.goto(`${url}?view=keys`);
    await main.getByText('There is no key yet besides ADMIN_API_KEY.').waitFor();
    t.ok(problems.length > 0, 'who looks for the reason finds it in the console');
    t.same(
      problems.filter((problem) => !problem.includes('null')),
      [],
    );
  });

  t.test('what a dialog cannot read, and what it could not do, is told in it', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    const ids: string[] = [];
    for (const service of ['api', 'web']) {
      ids.push((await request('PUT', `/v1/projects/odin/services/${service}`, {})).body.id);
    }
    const visited = await visit(t, browser, 'about:blank');
    const { page } = visited;
    const dialog = page.getByRole('dialog');
    const cut = (route: Route) => route.abort();
    await page.route(`**/v1/allocations/${ids[0]}`, cut);
    await page.goto(`${url}?dialog=describe:${ids[0]}`);
    await dialog.getByRole('heading', { name: 'Describe a port' }).waitFor();
    await dialog.getByText('The registry does not answer.').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await dialog.waitFor({ state: 'detached' });

    await page.goto(`${url}?dialog=release-found:3300-3301`);
    await dialog.getByRole('button', { name: 'Release 2 ports' }).click();
    await dialog.getByRole('alert').getByText('The registry does not answer.').waitFor();
    await page.unroute(`**/v1/allocations/${ids[0]}`);
    await dialog.getByRole('button', { name: 'Release 1 port' }).click();
    await page.locator('.notice').getByText('Port 3300 was released.').waitFor();
    assertClean(t, visited);
  });

  t.test('a service that goes down leaves the last view, says so, and comes back', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    await fillRegistry(request);
    const gate = await openGate(t, url);
    const visited = await visit(t, browser, `${gate.url}?view=map`);
    const { page } = visited;
    const alert = page.getByRole('alert');
    await cell(page, '3301, not checked yet, query').waitFor();
    gate.cut();
    await alert.getByRole('heading', { name: 'The registry cannot be read' }).waitFor();
    await alert.getByText('The registry does not answer.').waitFor();
    await alert.getByText('Below is what was read last. This page tries again every few seconds.').waitFor();
    t.equal(await cell(page, '3301, not checked yet, query').count(), 1);
    await page.getByRole('button', { name: 'Get a port' }).click();
    await page.getByRole('dialog').getByLabel('Project').fill('odin');
    await page.getByRole('dialog').getByLabel('Service').fill('late');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByText('The registry does not answer.').waitFor();
    gate.mend();
    await page.keyboard.press('Enter');
    await page.locator('.notice').getByText('odin/late has port 3305.').waitFor();
    await alert.getByRole('heading').waitFor({ state: 'detached' });
    await cell(page, '3305, not checked yet, late').waitFor();
    assertClean(t, visited);
  });

  t.test('a service that is down from the beginning says so', async (t) => {
    const { url } = await serve(t, await openPostgres(t));
    const visited = await visit(t, browser, 'about:blank');
    const { page } = visited;
    let isUp = false;
    await page.route('**/v1/**', (route) => (isUp ? route.continue() : route.abort()));
    await page.goto(url);
    await page.getByRole('alert').getByText('The registry does not answer.').waitFor();
    t.equal(await page.getByText('Below is what was read last.').count(), 0);
    t.same(await findViolations(page), []);
    isUp = true;
    await page.getByRole('button', { name: 'Try now' }).click();
    await page.getByText('Nothing is held yet.').waitFor();
    assertClean(t, visited);
  });

  t.test('a database that is not reached is told as such', async (t) => {
    const database = await openPostgres(t);
    const { url } = await serve(t, database);
    await database.close();
    const visited = await visit(t, browser, url);
    const alert = visited.page.getByRole('alert');
    await alert.getByText('The registry cannot be read').waitFor();
    await alert.getByText('The registry does not reach its database.').waitFor();
    t.same(await findViolations(visited.page), []);
    assertClean(t, visited);
  });
});
