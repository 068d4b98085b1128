import type { Page } from 'playwright-core';
import t from 'tap';
import { assertAccessible, SOME } from '../helpers/accessible.js';
import { assertClean, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, serve } from '../helpers/dashboard.js';
import { visitWithKey } from '../helpers/dashboard-keys.js';
import { openPostgres } from '../helpers/database.js';
import { focused, tabTo, untilFocused } from '../helpers/keyboard.js';
import { ADMIN, makeKey, WITH_KEYS } from '../helpers/keys.js';

const rowOf = (page: Page, port: number) => page.getByRole('row', { name: new RegExp(`^${port}\\b`) });
const told = (page: Page, text: string | RegExp) => page.locator('.notice').getByText(text).waitFor();

t.test('the reservations', async (t) => {
  const browser = await openBrowser(t);
  const { url, request } = await serve(t, await openPostgres(t));
  await fillRegistry(request);

  t.test('are made for a project, renewed and cancelled', async (t) => {
    const visited = await visit(t, browser, `${url}?view=reservations`);
    const { page } = visited;
    await page.getByText('2 active reservations of all projects, on every host, TCP and UDP.').waitFor();
    await rowOf(page, 3320).getByText('Announced to the firewall team').waitFor();
    await page.getByLabel('Project').selectOption('consilio');
    await page.getByRole('button', { name: 'Reserve a port' }).click();
    t.equal(page.url(), `${url}?view=reservations&project=consilio&dialog=reserve%3Aconsilio`);
    const dialog = page.getByRole('dialog', { name: 'Reserve a port' });
    t.equal(await dialog.getByLabel('Project').inputValue(), 'consilio', 'of which the view shows them');
    await dialog.getByLabel('For', { exact: true }).selectOption('86400');
    await dialog.getByLabel('Service').fill('mail');
    await dialog.getByLabel('Reserved by').fill('kim');
    await dialog.getByLabel('Reason').fill('The provider opens it on Monday');
    await dialog.getByRole('button', { name: 'Reserve it' }).click();
    await told(page, /^Port 3118 is reserved until /);
    const text = (await rowOf(page, 3118).innerText()).replace(/\s+/g, ' ');
    t.match(text, /^3118 consilio mail kim The provider opens it on Monday (in 1 day|tomorrow|in 24 hours) /);
    await page.getByRole('heading', { name: '3118 localhost TCP' }).waitFor();
    await page.getByRole('button', { name: 'Close the details' }).click();

    await page.getByRole('button', { name: 'Renew the reservation of 3118' }).click();
    const renew = page.getByRole('dialog', { name: 'Renew the reservation of port 3118' });
    await renew.getByLabel('Keep it for').selectOption('604800');
    await renew.getByRole('button', { name: 'Renew it' }).click();
    await rowOf(page, 3118).getByText('in 7 days').waitFor();

    await page.getByRole('button', { name: 'Cancel the reservation of 3118' }).click();
    const cancel = page.getByRole('dialog', { name: 'Cancel the reservation of port 3118?' });
    await cancel.getByText('kim reserved it. Anyone may be given the port then.').waitFor();
    await cancel.getByRole('button', { name: 'Keep it' }).click();
    await page.getByRole('button', { name: 'Cancel the reservation of 3118' }).click();
    await cancel.getByRole('button', { name: 'Cancel the reservation' }).click();
    await told(page, 'The reservation of port 3118 was cancelled.');
    await rowOf(page, 3118).waitFor({ state: 'detached' });
    t.not(await focused(page), 'BODY');

    await page.getByRole('button', { name: 'Reserve a port' }).click();
    t.equal(await dialog.getByLabel('Host').inputValue(), 'localhost');
    await dialog.getByLabel('Host').fill('Build-9.');
    await dialog.getByLabel('Protocol').selectOption('UDP');
    await dialog.getByRole('button', { name: 'Reserve it' }).click();
    await page.getByRole('heading', { name: '3100 build-9 UDP' }).waitFor(); // the first port there
    const [{ id }] = (await request('GET', '/v1/reservations?host=build-9')).body.items;
    await request('DELETE', `/v1/reservations/${id}`);
    assertClean(t, visited);
  });

  t.test('that have ended are shown too, where that is chosen, which the address keeps', async (t) => {
    await request('POST', '/v1/projects/openhorizon/reservations', { ttlSeconds: 3600, port: 3290 });
    const visited = await visit(t, browser, `${url}?view=reservations&project=openhorizon`);
    const { page } = visited;
    await page.getByLabel('Which').selectOption('any');
    await page.getByText('Those that have ended are kept for 7 days.').waitFor();
    await page.getByRole('button', { name: 'Claim 3290' }).click();
    const claim = page.getByRole('dialog', { name: 'Claim port 3290' });
    t.equal(await claim.getByLabel('Service').inputValue(), '');
    await claim.getByLabel('Service').fill('planner');
    await claim.getByLabel('Environment').fill('staging');
    await claim.getByRole('button', { name: 'Claim it' }).click();
    await told(page, 'openhorizon/planner has port 3290.');
    await rowOf(page, 3290).getByText('Claimed').waitFor();
    t.equal(await page.getByRole('button', { name: 'Claim 3290' }).count(), 0);
    t.match((await request('GET', '/v1/ports/3290')).body.allocation, { service: 'planner', environment: 'staging' });
    await page.getByRole('button', { name: 'Status' }).click();
    await page.reload();
    t.equal(page.url(), `${url}?view=reservations&project=openhorizon&status=any&sort=status`);
    await rowOf(page, 3290).getByText('Claimed').waitFor();
    await page.goBack();
    await page.goBack();
    await page.getByText('Nothing is reserved.').waitFor();
    assertClean(t, visited);
  });

  t.test('expire on the screen at their time', async (t) => {
    const visited = await visit(t, browser, `${url}?view=reservations&project=odin`);
    const { page } = visited;
    await page.getByText('1 active reservation of odin').waitFor();
    const { body } = await request('POST', '/v1/projects/odin/reservations', { ttlSeconds: 3600, port: 3330 });
    await page.getByText('2 active reservations of odin').waitFor();
    await request('PATCH', `/v1/reservations/${body.id}`, { ttlSeconds: 2 });
    await rowOf(page, 3330).waitFor({ state: 'detached' });
    await page.getByText('1 active reservation of odin').waitFor();
    await page.getByLabel('Which').selectOption('any');
    await rowOf(page, 3330).getByText('Expired').waitFor();
    assertClean(t, visited);
  });

  t.test('are refused in words that say what to do here', async (t) => {
    const visited = await visit(t, browser, `${url}?view=reservations`);
    const { page } = visited;
    const dialog = page.getByRole('dialog');
    const reserve = async (project: string) => {
      await dialog.getByLabel('Project').fill(project);
      await dialog.getByRole('button', { name: 'Reserve it' }).click();
    };
    await page.getByRole('button', { name: 'Reserve a port' }).click();
    await reserve('Odin');
    await dialog.getByRole('alert').getByText('Use odin, for example.').waitFor();
    await reserve('odim');
    await dialog.getByRole('alert').getByText('Did you mean odin?').waitFor();
    await reserve('health-agent');
    const full = 'Release what is no longer needed, or give the project another range.';
    await dialog.getByRole('alert').getByText(full).waitFor();
    t.notMatch(await dialog.innerText(), /\/v1\/|POST|PUT/);
    await dialog.getByRole('button', { name: 'Cancel' }).click();

    const { body } = await request('POST', '/v1/projects/odin/reservations', { ttlSeconds: 3600, port: 3340 });
    await page.getByRole('button', { name: 'Renew the reservation of 3340' }).click();
    await request('DELETE', `/v1/reservations/${body.id}`);
    await dialog.getByRole('button', { name: 'Renew it' }).click();
    await dialog.getByRole('alert').getByText('Somebody else was faster.').waitFor();
    await page.reload();
    await dialog.getByText('The reservation is gone: somebody was faster, or the link to it is old.').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();

    const late = { ttlSeconds: 3600, port: 3341, service: 'late' };
    const { id } = (await request('POST', '/v1/projects/odin/reservations', late)).body;
    await page.getByRole('button', { name: 'Claim 3341' }).click();
    await request('PATCH', `/v1/reservations/${id}`, { ttlSeconds: 1 });
    await rowOf(page, 3341).waitFor({ state: 'detached' });
    await dialog.getByRole('button', { name: 'Claim it' }).click();
    await dialog.getByRole('alert').getByText('Reserve the port again, if it is still free.').waitFor();
    assertClean(t, visited);
  });

  t.test('are made, renewed, claimed and cancelled by the keyboard alone', async (t) => {
    const visited = await visit(t, browser, `${url}?view=reservations&project=quiculum-monitor`);
    const { page } = visited;
    const { keyboard } = page;
    await page.getByText('Nothing is reserved.').waitFor();
    const reserve = async () => {
      await tabTo(page, 'Reserve a port');
      await keyboard.press('Enter');
      await page.getByRole('dialog', { name: 'Reserve a port' }).waitFor();
      t.equal(await focused(page), 'Project');
      await tabTo(page, 'Service');
      await keyboard.type('mail');
      await keyboard.press('Enter');
    };
    await reserve();
    await told(page, /^Port 3502 is reserved until /);
    await untilFocused(page, '3502 localhost TCP');
    await keyboard.press('Escape');
    await untilFocused(page, 'Reserve a port');

    await tabTo(page, 'Renew the reservation of 3502');
    await keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Renew the reservation of port 3502' }).waitFor();
    t.equal(await focused(page), 'Keep it for');
    await keyboard.press('ArrowDown');
    await keyboard.press('Tab');
    await keyboard.press('Tab');
    t.equal(await focused(page), 'Renew it');
    await keyboard.press('Enter');
    await rowOf(page, 3502)
      .getByText(/in 1 day|tomorrow|in 24 hours/)
      .waitFor();
    await untilFocused(page, 'Renew the reservation of 3502');

    await keyboard.press('Tab');
    await keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Claim port 3502' }).waitFor();
    t.equal(await focused(page), 'Service');
    await keyboard.press('Escape');
    await untilFocused(page, 'Claim 3502');
    await keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await keyboard.press('Enter');
    await told(page, 'quiculum-monitor/mail has port 3502.');
    await rowOf(page, 3502).waitFor({ state: 'detached' });
    t.not(await focused(page), 'BODY');

    await page.reload();
    await page.getByText('Nothing is reserved.').waitFor();
    await reserve();
    await untilFocused(page, '3503 localhost TCP');
    await keyboard.press('Escape');
    await tabTo(page, 'Cancel the reservation of 3503');
    await keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Cancel the reservation of port 3503?' }).waitFor();
    t.equal(await focused(page), 'Keep it');
    await keyboard.press('Tab');
    await keyboard.press('Enter');
    await told(page, 'The reservation of port 3503 was cancelled.');
    await page.getByText('Nothing is reserved.').waitFor();
    t.not(await focused(page), 'BODY');
    assertClean(t, visited);
  });

  t.test('are accessible in both themes, on every width', async (t) => {
    const visited = await visit(t, browser, `${url}?view=reservations&status=any`);
    const { page } = visited;
    await rowOf(page, 3320).waitFor();
    await assertAccessible(t, page, 'the list');
    for (const name of ['Renew the reservation of 3320', 'Claim 3320', 'Reserve a port']) {
      await page.getByRole('button', { name }).click();
      await page.getByRole('dialog').waitFor();
      await assertAccessible(t, page, name, SOME);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    assertClean(t, visited);
  });

  t.test('are offered to be changed only to who may', async (t) => {
    const keyed = await serve(t, await openPostgres(t), WITH_KEYS);
    for (const project of ['odin', 'consilio']) {
      await keyed.request('POST', `/v1/projects/${project}/reservations`, { ttlSeconds: 3600 }, ADMIN);
    }
    const address = `${keyed.url}?view=reservations`;
    const visited = await visitWithKey(t, browser, address, (await makeKey(keyed.request, 'reader')).key);
    const { page } = visited;
    await page.getByText('2 active reservations of all projects').waitFor();
    await rowOf(page, 3300).waitFor();
    t.same(await page.locator('main').getByRole('button').allInnerTexts(), [
      'Port',
      'Project',
      'Service',
      'Reserved by',
      'Expires',
    ]);
    await page.goto(`${address}&dialog=reserve:odin`);
    await page.getByRole('dialog').getByRole('button', { name: 'Reserve it' }).click();
    const refusal = 'This key has the role reader, which changes nothing.';
    await page.getByRole('dialog').getByRole('alert').getByText(refusal).waitFor();
    assertClean(t, visited);

    const odin = (await makeKey(keyed.request, 'project', 'odin')).key;
    const other = await visitWithKey(t, browser, address, odin);
    await other.page.getByText('1 active reservation of the projects that this key covers').waitFor();
    await other.page.getByRole('button', { name: 'Reserve a port' }).waitFor();
    await other.page.getByRole('button', { name: 'Cancel the reservation of 3300' }).click();
    await other.page.getByRole('dialog').getByRole('button', { name: 'Cancel the reservation' }).click();
    await told(other.page, 'The reservation of port 3300 was cancelled.');
    assertClean(t, other);
  });
});
