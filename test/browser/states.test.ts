import t from 'tap';
import { assertClean, cell, findViolations, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, PROBED, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { listen } from '../helpers/listeners.js';
import { emptyRegistry } from '../helpers/registry.js';

const KEY = 'k'.repeat(40);

t.test('states of the registry and of the service', async (t) => {
  const browser = await openBrowser(t);

  t.test('a registry without ranges says how to make one', async (t) => {
    const { db } = await openPostgres(t);
    await emptyRegistry(db);
    const { url } = await serve(t, { db });
    const visited = await visit(t, browser, url);
    await visited.page.getByRole('heading', { name: 'This registry has no ranges yet' }).waitFor();
    await visited.page.getByText(`${url}v1/ranges`).waitFor();
    t.same(await findViolations(visited.page), []);
    assertClean(t, visited);
  });

  t.test('a registry with one range, and one with sixty', async (t) => {
    const { db } = await openPostgres(t);
    await emptyRegistry(db);
    const { url, request } = await serve(t, { db });
    await request('POST', '/v1/ranges', { project: 'only' });
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page.getByRole('article', { name: 'only' }).waitFor();
    for (let i = 0; i < 59; i++) await request('POST', '/v1/ranges', { project: `project-${i % 50}` });
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByRole('article', { name: 'project-49' }).waitFor();
    t.equal(await page.getByRole('article').count(), 51, 'nine projects have two ranges');
    t.equal(await page.getByRole('grid').count(), 60);
    await page.getByLabel('Sort by').selectOption('name');
    t.equal(await page.getByRole('article').first().getByRole('heading').first().innerText(), 'only');
    await page.getByRole('searchbox').fill('8901');
    await page.getByText(/^8901 is free, in the range of project-/).waitFor();
    assertClean(t, visited);
  });

  t.test('texts of others are isolated, and what is not seen in them is shown', async (t) => {
    const { db } = await openPostgres(t);
    const { url, request } = await serve(t, { db });
    const [deceiving, shown] = ['web\u202egnp.\u200b', 'web\\u{202e}gnp.\\u{200b}'];
    const texts = { serviceType: deceiving, description: `${deceiving} שלום 👩‍👩‍👧`, metadata: { [deceiving]: 1 } };
    const { port } = (await request('PUT', '/v1/projects/odin/services/web', texts)).body;
    const reserved = { ttlSeconds: 3600, reservedBy: deceiving, reason: deceiving, port: port + 1 };
    t.equal((await request('POST', '/v1/projects/odin/reservations', reserved)).status, 201);
    await request('PATCH', `/v1/ranges/${Math.floor(port / 100) * 100}`, { description: deceiving });
    const visited = await visit(t, browser, url);
    const { page } = visited;
    const isolated = () => page.locator('bdi').allInnerTexts();
    const reservedCell = cell(page, `${port + 1}, reserved, `);
    await reservedCell.hover();
    t.equal(await reservedCell.getAttribute('aria-label'), `${port + 1}, reserved, ${shown}`);
    await page.locator('.tip bdi').waitFor();
    await cell(page, `${port}, `).click();
    await page.getByText('Description', { exact: true }).waitFor();
    t.match(
      await isolated(),
      [shown, shown, `${shown} שלום 👩‍👩‍👧`, `{\n "${shown}": 1\n}`],
      'range, type, description, metadata',
    );
    await cell(page, `${port + 1}, `).click();
    await page.getByText('Reason', { exact: true }).waitFor();
    t.match(await isolated(), [shown, shown, shown], 'range, who reserved it, reason');
    await page.getByRole('button', { name: 'Cancel the reservation' }).click();
    await page.getByText(`${shown} reserved it. Anyone may be given the port then.`).waitFor();
    t.notMatch(await page.locator('body').innerText(), /[\u202e\u200b]/);
    assertClean(t, visited);
  });

  t.test(
    'what was never checked, never seen and has stopped is told apart, and all viewers see one audit',
    async (t) => {
      const { db } = await openPostgres(t);
      const { url, request } = await serve(t, { db }, { ADMIN_API_KEY: KEY });
      const admin = { authorization: `Bearer ${KEY}` };
      const hold = async (service: string) =>
        (await request('PUT', `/v1/projects/odin/services/${service}`, {}, admin)).body.port;
      const [stopping, unseen] = [await hold('stopping'), await hold('unseen')];
      const visited = await visit(t, browser, url);
      const { page } = visited;
      await page.getByRole('dialog').getByLabel('Key').fill(KEY);
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByText('Not checked yet', { exact: true }).first().waitFor();
      await page.getByRole('button', { name: 'Held 2 not checked yet, ' }).waitFor();
      for (const name of ['Stopped', 'In conflict']) {
        await page.getByRole('button', { name: `${name} – not checked yet` }).waitFor();
      }
      await cell(page, `${unseen}, not checked yet, unseen`).waitFor();
      t.same(await findViolations(page), []);

      const listener = await listen(t, PROBED, stopping);
      t.equal((await request('POST', '/v1/audits', {}, admin)).body.inUse, 1);
      await new Promise((resolve) => listener.close(resolve));
      await request('POST', '/v1/audits', {}, admin);
      const late = await hold('late');
      await page.getByRole('button', { name: 'Refresh' }).click();
      await page.getByText(/^Audited .* by ADMIN_API_KEY$/).waitFor();
      await cell(page, `${stopping}, stopped, stopping`).waitFor();
      await cell(page, `${unseen}, never seen, unseen`).waitFor();
      await cell(page, `${late}, not checked yet, late`).waitFor();
      const sizeOf = (port: number) => cell(page, `${port}, `).boundingBox();
      t.match(await sizeOf(unseen), { width: (await sizeOf(late))?.width, height: (await sizeOf(late))?.height });
      const swatches = await page.getByRole('list', { name: 'Legend' }).locator('.cell').all();
      const sizes = await Promise.all(swatches.map(async (swatch) => (await swatch.boundingBox())?.width));
      t.equal(new Set(sizes).size, 1, `each state is shown in the legend: ${sizes}`);
      await page.getByRole('button', { name: 'Held 3 0 in use, ' }).waitFor();
      await page
        .getByRole('button', { name: 'In conflict 0 the last audit has probed only ports that are held' })
        .waitFor();
      await page.getByRole('heading', { name: 'The audit found 2 things' }).waitFor();
      t.same(await findViolations(page), []);
      assertClean(t, visited);
    },
  );

  t.test('an excluded port is told apart from a free one, with the reason', async (t) => {
    const { db } = await openPostgres(t);
    const { url, request } = await serve(t, { db });
    for (const [port, reason] of [
      [3501, 'Our VPN\u202eclient'],
      [3502, 'Held'],
    ]) {
      await request('PUT', `/v1/excluded-ports/${port}`, { reason });
    }
    const held = { service: 'web', port: 3502 };
    t.equal((await request('POST', '/v1/projects/quiculum-monitor/allocations', held)).status, 201);
    await request('PATCH', '/v1/ranges/3500', { reuseCooldownSeconds: 600 });
    for (const port of [3500, 3503]) {
      const { id } = (await request('POST', '/v1/projects/quiculum-monitor/allocations', { service: 'old', port }))
        .body;
      await request('DELETE', `/v1/allocations/${id}`);
    }
    await request('PUT', '/v1/excluded-ports/3503', { reason: 'Cools down too' });
    const visited = await visit(t, browser, url);
    const { page } = visited;
    const card = page.getByRole('article', { name: 'quiculum-monitor' });
    await card.getByText('1 of 100 held · 1 cooling · 2 excluded').waitFor();
    await card.getByText('96 free').waitFor();
    await page.getByRole('list', { name: 'Legend' }).getByText('Excluded').waitFor();
    for (const label of [
      '3500, cooling down',
      '3502, not checked yet, web',
      '3503, excluded, Cools down too',
      '3504, free',
    ]) {
      t.equal(await cell(page, label).count(), 1, label);
    }
    const shown = 'Our VPN\\u{202e}client';
    const excluded = cell(page, '3501, excluded, ');
    t.equal(await excluded.getAttribute('aria-label'), `3501, excluded, ${shown}`);
    await excluded.hover();
    await page.locator('.tip bdi').getByText(shown).waitFor();
    await excluded.click();
    await page.getByText(`Nobody is given it unasked. The reason: ${shown}`).waitFor();
    await page.getByRole('button', { name: 'Get this port' }).waitFor();
    t.same(await findViolations(page), []);
    await cell(page, '3502, ').click();
    await page.getByText('Nobody is given it unasked. The reason: Held').waitFor();
    await page.emulateMedia({ colorScheme: 'dark' });
    t.same(await findViolations(page), []);
    assertClean(t, visited);
  });

  t.test('who listens on a port is told with program, process, folder and address', async (t) => {
    const { db } = await openPostgres(t);
    const { url, request } = await serve(t, { db });
    const visited = await visit(t, browser, url);
    const { page } = visited;
    const { body } = await request('GET', '/v1/ports/3504');
    const answers = [
      [{ process: 'no\u202ede', pid: 812, path: '/home/kim/shop', address: '127.0.0.1' }, 'squatted'],
      [{ process: null, pid: null, path: null, address: '*' }, 'squatted'],
    ] as const;
    for (const [[listener, state], port] of answers.map((answer, i) => [answer, 3504 + i] as const)) {
      // The answer of a machine on which somebody listens there.
      await page.route(`**/v1/ports/${port}?*`, (route) => route.fulfill({ json: { ...body, port, state, listener } }));
      await cell(page, `${port}, free`).click();
    }
    await page.getByText('On it listens a process that can not be seen from here.').waitFor();
    await cell(page, '3504, free').click();
    await page.getByText('On it listens no\\u{202e}de (pid 812) in /home/kim/shop, on 127.0.0.1.').waitFor();
    t.same(await page.locator('.details bdi').allInnerTexts(), ['no\\u{202e}de', '/home/kim/shop', '127.0.0.1']);
    assertClean(t, visited);
  });

  t.test('lists of more than one page are shown completely', async (t) => {
    const { db } = await openPostgres(t);
    const { url, request } = await serve(t, { db });
    await request('POST', '/v1/ranges', { project: 'big', kind: 'shared', startPort: 20_000 });
    await request('POST', '/v1/ranges', { project: 'big', kind: 'shared', startPort: 21_000 });
    for (const from of [0, 1000]) {
      const services = Array.from({ length: 1000 }, (_, i) => ({ service: `s${from + i}` }));
      t.equal((await request('PUT', '/v1/projects/big/environments/default', { services })).status, 201);
    }
    const { page } = await visit(t, browser, url);
    await page.getByRole('article', { name: 'big' }).getByText('2,000 of 2,000 held').waitFor();
    t.equal(await page.locator('.row .cell.unchecked').count(), 2000);
  });

  t.test('with keys in force it asks for one, and keeps it for the tab', async (t) => {
    const database = await openPostgres(t);
    const { url } = await serve(t, database, { ADMIN_API_KEY: KEY });
    const visited = await visit(t, browser, url);
    const { page } = visited;
    const prompt = page.getByRole('dialog', { name: 'This registry needs a key' });
    await prompt.waitFor();
    t.same(await findViolations(page), []);
    await prompt.getByLabel('Key').fill('x'.repeat(40));
    await prompt.getByRole('button', { name: 'Continue' }).click();
    await prompt.getByText('The key that was sent is not valid here.').waitFor();
    await prompt.getByLabel('Key').fill(KEY);
    await prompt.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('article', { name: 'odin' }).waitFor();
    await page.getByRole('button', { name: 'Run an audit' }).click();
    await page.getByRole('heading', { name: /^The audit found/ }).waitFor();

    await page.reload();
    await page.getByRole('article', { name: 'odin' }).waitFor();
    const other = await page.context().newPage();
    await other.goto(url);
    await other.getByRole('dialog', { name: 'This registry needs a key' }).waitFor();
    await page.getByRole('button', { name: 'Forget the key' }).click();
    await prompt.waitFor();
    t.equal(await page.getByRole('article').count(), 0, 'what the key let see is gone');
    await prompt.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Enter the key' }).click();
    await prompt.waitFor();
    assertClean(t, visited);
  });

  t.test('a registry that went away leaves the last view, says so, and comes back', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    await fillRegistry(request);
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page.getByRole('article', { name: 'odin' }).waitFor();
    await page.context().setOffline(true);
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByRole('alert').getByText('The registry can not be read').waitFor();
    await page.getByText('Below is what was read last.').waitFor();
    await page.getByRole('article', { name: 'odin' }).waitFor();
    t.same(await findViolations(page), []);
    await page.context().setOffline(false);
    await page.getByRole('button', { name: 'Try now' }).click();
    await page.getByRole('alert').getByText('The registry can not be read').waitFor({ state: 'detached' });
    assertClean(t, visited);
  });

  t.test('while the database is unavailable it shows the refusal of the service', async (t) => {
    const database = await openPostgres(t);
    const { url } = await serve(t, database);
    await database.close();
    const visited = await visit(t, browser, url);
    await visited.page.getByRole('alert').getByText('The registry can not be read').waitFor();
    await visited.page
      .getByRole('alert')
      .getByText(/database/)
      .waitFor();
    t.same(await findViolations(visited.page), []);
    assertClean(t, visited);
  });
});
