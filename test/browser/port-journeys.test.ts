// What a person does with ports, from getting one to releasing it, and with an audit.
import t from 'tap';
import { assertClean, cell, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, PROBED, runServices, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { openBlackHole } from '../helpers/listeners.js';

t.test('journeys', async (t) => {
  const browser = await openBrowser(t);

  t.test('a service gets a port, is described, and releases the port after a confirmation', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    const visited = await visit(t, browser, `${url}?view=map&project=odin`);
    const { page } = visited;
    const details = page.getByRole('dialog', { name: /^3300/ });
    const notice = page.locator('.notice');
    await page.getByRole('button', { name: 'Get a port' }).click();
    await page.locator('dialog.modal').getByLabel('Project').fill('odin');
    await page.getByRole('combobox', { name: 'Service' }).fill('Web');
    await page.getByRole('button', { name: 'Get it' }).click();
    await page.getByRole('alert').getByText('Something of what was entered cannot be used.').waitFor();
    t.equal(await page.getByRole('combobox', { name: 'Service' }).getAttribute('aria-invalid'), 'true');
    await page.getByRole('combobox', { name: 'Service' }).fill('web');
    await page.getByRole('button', { name: 'Get it' }).click();
    await notice.getByText('odin/web has port 3300.').waitFor();
    await details.getByRole('definition').getByText('web', { exact: true }).waitFor();

    await details.getByRole('button', { name: 'Describe' }).click();
    await page.getByLabel('Public hostname').fill('www.example.com');
    await page.getByLabel('Metadata').fill('{ "team": ');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Metadata is no JSON object').waitFor();
    await page.getByLabel('Metadata').fill('{ "team": "core" }');
    await page.getByRole('button', { name: 'Save' }).click();
    await details.getByRole('definition').getByText('www.example.com').waitFor();
    const list = async () => (await request('GET', '/v1/allocations')).body.items;
    const details3300 = { metadata: { team: 'core' }, cloudflareHostname: 'www.example.com', description: null };
    t.match(await list(), [{ port: 3300, ...details3300 }]);

    await details.getByRole('button', { name: 'Release' }).click();
    await page.getByRole('button', { name: 'Keep it' }).click();
    t.equal((await list()).length, 1, 'nothing is lost without a yes');
    await details.getByRole('button', { name: 'Release' }).click();
    await page.getByRole('button', { name: 'Release 3300' }).click();
    await notice.getByText('Port 3300 was released.').waitFor();
    t.same(await list(), []);
    await details.getByRole('button', { name: 'Get this port' }).waitFor();
    await details.getByRole('listitem').getByText('odin/web').waitFor(); // in the port's history, where it stays

    await page.goto(`${url}?view=map&port=3342`);
    await page.getByRole('button', { name: 'Get this port' }).click();
    t.equal(await page.locator('dialog.modal').getByLabel('Project').inputValue(), 'odin');
    await page.getByRole('combobox', { name: 'Service' }).fill('legacy');
    await page.keyboard.press('Enter');
    await cell(page, '3342, not checked yet, legacy').waitFor();
    assertClean(t, visited);
  });

  t.test('a project that is not there is made with its first port, where that is wanted', async (t) => {
    const { url } = await serve(t, await openPostgres(t));
    const visited = await visit(t, browser, `${url}?dialog=get`);
    const { page } = visited;
    const dialog = page.getByRole('dialog', { name: 'Get a port' });
    await dialog.waitFor();
    await page.keyboard.type('shop');
    await page.keyboard.press('Tab');
    await page.keyboard.type('web');
    await page.keyboard.press('Enter');
    await dialog.getByRole('alert').getByText('Create it first').waitFor();
    await dialog.getByLabel('Create the project shop, with a range of its own').check();
    await dialog.getByRole('button', { name: 'Get it' }).click();
    await page.locator('.notice').getByText('shop/web has port 3600.').waitFor();

    await page.goto(`${url}?dialog=get:shop`);
    await dialog.waitFor();
    await page.keyboard.type('api'); // the project is filled in
    await page.keyboard.press('Enter');
    await page.locator('.notice').getByText('shop/api has port 3601.').waitFor();
    assertClean(t, visited);
  });

  t.test('a port is reserved, claimed, and another reservation cancelled', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    const visited = await visit(t, browser, 'about:blank');
    const { page } = visited;
    for (const port of [3310, 3311]) {
      await page.goto(`${url}?view=map&port=${port}`);
      await page.getByRole('button', { name: 'Reserve it' }).click();
      await page.getByLabel('For', { exact: true }).selectOption('7 days');
      await page.getByLabel('Reserved by').fill('ci-42');
      await page.keyboard.press('Enter');
      await cell(page, `${port}, reserved, ci-42`).waitFor();
    }
    const { items } = (await request('GET', '/v1/reservations')).body;
    t.equal(Math.round((Date.parse(items[0].expiresAt) - Date.parse(items[0].createdAt)) / 86_400_000), 7);
    await page.getByRole('button', { name: 'Claim', exact: true }).click();
    await page.getByRole('combobox', { name: 'Service' }).fill('search');
    await page.getByRole('button', { name: 'Claim it' }).click();
    await cell(page, '3311, not checked yet, search').waitFor();
    await cell(page, '3310, reserved, ci-42').click();
    await page.getByRole('button', { name: 'Cancel the reservation' }).click();
    const question = page.getByRole('dialog', { name: /^Cancel/ });
    await question.getByRole('button', { name: 'Cancel the reservation' }).click();
    await page.locator('.notice').getByText('The reservation of port 3310 was cancelled.').waitFor();
    await page.getByRole('button', { name: 'Get this port' }).waitFor();
    assertClean(t, visited);
  });

  t.test('an audit tells how far it is, and a port that was mended is probed', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t), { PROBE_CONCURRENCY: '1' });
    await fillRegistry(request);
    await runServices(t, request);
    const visited = await visit(t, browser, `${url}?view=map`);
    const { page } = visited;
    await page.getByRole('button', { name: 'Run an audit' }).click();
    await page.getByRole('progressbar', { name: 'Progress of the audit' }).waitFor();
    await page.getByText(/^Checking all projects on localhost: [\d,]+ of [\d,]+ ports$/).waitFor();
    await page.getByRole('status').getByText('The audit is done.').waitFor();
    await cell(page, '3190, in conflict').click();
    await page.getByRole('button', { name: 'Get this port' }).click();
    await page.getByRole('combobox', { name: 'Service' }).fill('stranger');
    await page.keyboard.press('Enter');
    await cell(page, '3190, not checked yet, stranger').waitFor();
    await page.getByRole('button', { name: 'Probe now' }).click();
    await page
      .getByRole('listitem')
      .getByText(/^open, /)
      .waitFor();
    await cell(page, '3190, in use, stranger').waitFor();
    assertClean(t, visited);
  });

  t.test('an audit can be stopped', async (t) => {
    const slow = { PROBE_CONCURRENCY: '1', PROBE_TIMEOUT_MS: '60000' };
    const { url, request } = await serve(t, await openPostgres(t), slow);
    await fillRegistry(request);
    await openBlackHole(t, PROBED, 3150); // the audit waits there until it is stopped
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page.getByRole('button', { name: 'Run an audit' }).click();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByText('The audit was not finished. Stopped before it was done.').waitFor();
    assertClean(t, visited);
  });
});
