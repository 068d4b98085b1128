// What is shown of ports in every state, by shape and by word, and of the texts of others.
import t from 'tap';
import { assertClean, cell, findViolations, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, PROBED, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { visitAsAdmin } from '../helpers/everything.js';
import { ADMIN, WITH_KEYS } from '../helpers/keys.js';
import { listen } from '../helpers/listeners.js';

t.test('ports in every state', async (t) => {
  const browser = await openBrowser(t);

  t.test('are named on the map with who has them', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    await fillRegistry(request);
    const visited = await visit(t, browser, `${url}?view=map`);
    const { page } = visited;
    await page.getByRole('article', { name: 'openhorizon' }).getByText('84 of 100 held, 16 free').waitFor();
    await page.getByRole('article', { name: 'openhorizon' }).getByText('Nearly full').waitFor();
    await page.getByRole('article', { name: 'health-agent' }).getByText('Full', { exact: true }).waitFor();
    for (const name of [
      '3100, not checked yet, api',
      '3106, not checked yet, api, environment staging',
      '3140, reserved, release pipeline',
      '3302, cooling down',
      '3304, cooling down',
      '3320, reserved, search',
      '9004, not checked yet, grafana',
    ]) {
      t.equal(await cell(page, name).count(), 1, name);
    }
    assertClean(t, visited);
  });

  t.test('with texts of others isolate these, and show what is not seen in them', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    const [deceiving, shown] = ['web\u202egnp.\u200b', 'web\\u{202e}gnp.\\u{200b}'];
    const description = `${deceiving} שלום 👩‍👩‍👧`;
    const texts = { serviceType: deceiving, description, metadata: { [deceiving]: 1 } };
    const { port } = (await request('PUT', '/v1/projects/odin/services/web', texts)).body;
    const reserved = { ttlSeconds: 3600, reservedBy: deceiving, reason: deceiving, port: port + 1 };
    t.equal((await request('POST', '/v1/projects/odin/reservations', reserved)).status, 201);
    await request('PATCH', '/v1/ranges/3300', { description: deceiving });
    const visited = await visit(t, browser, `${url}?view=map`);
    const { page } = visited;
    const isolated = (where: string) => page.locator(`${where} bdi`).allInnerTexts();
    const reservedCell = cell(page, `${port + 1}, reserved, `);
    await reservedCell.hover();
    t.equal(await reservedCell.getAttribute('aria-label'), `${port + 1}, reserved, ${shown}`);
    await page.locator('.tip bdi').getByText(shown).waitFor();
    await cell(page, `${port}, `).click();
    await page.locator('.details code bdi').waitFor();
    t.same((await isolated('.details dl:first-of-type')).slice(0, 3), [
      shown,
      `${shown} שלום 👩‍👩‍👧`,
      `{\n "${shown}": 1\n}`,
    ]);
    await cell(page, `${port + 1}, `).click();
    await page.getByText('Reason', { exact: true }).waitFor();
    t.same(await isolated('.details dl'), [shown, shown], 'who reserved it, and why');
    await page.getByRole('button', { name: 'Cancel the reservation' }).click();
    await page.getByText(`${shown} reserved it. Anyone may be given the port then.`).waitFor();
    await page.goto(`${url}?columns=port,service,type,description`);
    await page.getByRole('row', { name: /for any service/ }).waitFor();
    t.same(await isolated('tr.port'), [shown, `${shown} שלום 👩‍👩‍👧`, shown]);
    await page.goto(`${url}?view=project&project=odin`);
    await page.getByRole('region', { name: 'Ranges' }).getByText(shown).waitFor();
    t.notMatch(await page.locator('body').innerText(), /[\u202e\u200b]/);
    assertClean(t, visited);
  });

  t.test('that were never checked, never seen and have stopped are told apart', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t), WITH_KEYS);
    const hold = async (service: string) =>
      (await request('PUT', `/v1/projects/odin/services/${service}`, {}, ADMIN)).body.port;
    const [stopping, unseen] = [await hold('stopping'), await hold('unseen')];
    const visited = await visitAsAdmin(t, browser, url);
    const { page } = visited;
    await page.getByRole('button', { name: /^Held 2 on all hosts: not checked yet/ }).waitFor();
    for (const name of ['Stopped', 'In conflict']) {
      await page.getByRole('button', { name: new RegExp(`^${name} –.*not checked yet`) }).waitFor();
    }
    t.same(await findViolations(page), []);

    const listener = await listen(t, PROBED, stopping);
    t.equal((await request('POST', '/v1/audits', {}, ADMIN)).body.inUse, 1);
    await page.getByRole('button', { name: /^Held 2 on all hosts: 1 in use/ }).waitFor();
    await new Promise((resolve) => listener.close(resolve));
    await request('POST', '/v1/audits', {}, ADMIN);
    const late = await hold('late');
    await page.getByRole('button', { name: /^Stopped 1 on all hosts: odin/ }).waitFor();
    await page.getByRole('button', { name: /^Held 3 on all hosts: 0 in use, 1 not checked yet/ }).waitFor();
    await page
      .getByRole('button', { name: /^In conflict 0 on all hosts: only ports that are held were checked/ })
      .waitFor();
    await page.getByRole('link', { name: 'Map', exact: true }).click();
    await cell(page, `${stopping}, stopped, stopping`).waitFor();
    await cell(page, `${unseen}, never seen, unseen`).waitFor();
    await cell(page, `${late}, not checked yet, late`).waitFor();
    const heightOf = async (port: number) => (await cell(page, `${port}, `).boundingBox())?.height;
    t.equal(await heightOf(unseen), await heightOf(late));
    const swatches = await page.getByRole('list', { name: 'Legend' }).locator('.cell').all();
    const sizes = await Promise.all(swatches.map(async (swatch) => (await swatch.boundingBox())?.width));
    t.equal(new Set(sizes).size, 1, `each state is shown in the legend: ${sizes}`);
    t.same(await findViolations(page), []);
    await page.getByRole('link', { name: 'Audits', exact: true }).click();
    await page.getByRole('cell', { name: 'ADMIN_API_KEY' }).first().waitFor();
    assertClean(t, visited);
  });

  t.test('that are excluded are told apart from free ones, with the reason', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    for (const [port, reason] of [
      [3501, 'Our VPN\u202eclient'],
      [3502, 'Held'],
    ]) {
      await request('PUT', `/v1/excluded-ports/${port}`, { reason });
    }
    const path = '/v1/projects/quiculum-monitor/allocations';
    t.equal((await request('POST', path, { service: 'web', port: 3502 })).status, 201);
    await request('PATCH', '/v1/ranges/3500', { reuseCooldownSeconds: 600 });
    for (const port of [3500, 3503]) {
      const { id } = (await request('POST', path, { service: 'old', port })).body;
      await request('DELETE', `/v1/allocations/${id}`);
    }
    await request('PUT', '/v1/excluded-ports/3503', { reason: 'Cools down too' });
    const visited = await visit(t, browser, `${url}?view=map`);
    const { page } = visited;
    await page.getByRole('article', { name: 'quiculum-monitor' }).getByText('1 of 100 held, 96 free').waitFor();
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
    await page.getByText(`Excluded: nobody is given it unasked. The reason: ${shown}`).waitFor();
    await page.getByRole('button', { name: 'Get this port' }).waitFor();
    t.same(await findViolations(page), []);
    await cell(page, '3502, ').click();
    await page.getByText('Excluded: nobody is given it unasked. The reason: Held').waitFor();
    await page.emulateMedia({ colorScheme: 'dark' });
    t.same(await findViolations(page), []);
    await page.goto(`${url}?view=project&project=quiculum-monitor`);
    await page.getByText(/^1 of 100 held · 1 cooling · 2 excluded · 96 free/).waitFor();
    assertClean(t, visited);
  });

  t.test('are shown with the program, process, folder and address of who listens', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    const visited = await visit(t, browser, 'about:blank');
    const { page } = visited;
    const { body } = await request('GET', '/v1/ports/3504');
    const answers = [
      [{ process: 'no\u202ede', pid: 812, path: '/home/kim/shop', address: '127.0.0.1' }, 'squatted'],
      [{ process: null, pid: null, path: null, address: '*' }, 'squatted'],
    ] as const;
    for (const [i, [listener, state]] of answers.entries()) {
      const port = 3504 + i;
      // The answer of a machine on which somebody listens there.
      await page.route(`**/v1/ports/${port}?*`, (route) => route.fulfill({ json: { ...body, port, state, listener } }));
    }
    await page.goto(`${url}?view=map&port=3505`);
    await page.getByText('On it listens a process that cannot be seen from here.').waitFor();
    await cell(page, '3504, free').click();
    await page.getByText('On it listens no\\u{202e}de (pid 812) in /home/kim/shop, on 127.0.0.1.').waitFor();
    t.same(await page.locator('.listener bdi').allInnerTexts(), ['no\\u{202e}de', '/home/kim/shop', '127.0.0.1']);
    assertClean(t, visited);
  });
});
