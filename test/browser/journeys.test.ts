import t from 'tap';
import { assertClean, cell, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, PROBED, runServices, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { openBlackHole } from '../helpers/listeners.js';

t.test('the main journeys', async (t) => {
  const browser = await openBrowser(t);

  t.test('the first view tells how full each project is, and who holds each port', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    await fillRegistry(request);
    const visited = await visit(t, browser, url);
    const { page } = visited;
    const card = page.getByRole('article', { name: 'openhorizon' });
    await card.getByText('Nearly full').waitFor();
    await card.getByText('84 of 100 held').waitFor();
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
    t.equal(await page.locator('.row .cell').count(), 7 * 100, 'of shared-services the first block');
    await page.getByRole('button', { name: 'Show 9100–9999, all free' }).click();
    t.equal(await page.locator('.row .cell').count(), 6 * 100 + 1000);

    await page.getByRole('button', { name: /^Full or nearly full 2/ }).click();
    t.same(await page.getByRole('article').getByRole('heading', { level: 3 }).allInnerTexts(), [
      'openhorizon',
      'health-agent',
    ]);
    await page.getByRole('button', { name: 'Show everything' }).click();
    t.equal(await page.getByRole('article').count(), 7);
    assertClean(t, visited);
  });

  t.test('one environment is shown alone', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    await fillRegistry(request);
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page.getByRole('article', { name: 'odin' }).waitFor();
    await page.getByRole('combobox', { name: /^Environment/ }).selectOption('staging');
    await page.getByRole('article', { name: 'odin' }).waitFor({ state: 'detached' });
    t.equal(await page.getByRole('article').count(), 1, 'the project that has it');
    const lit = await page
      .locator('.row .cell:not(.dim)')
      .evaluateAll((cells) => cells.map((cell) => cell.getAttribute('aria-label') ?? ''));
    t.equal(lit.length, 6);
    for (const label of lit) t.match(label, /, environment staging/);
    await page.getByRole('button', { name: 'Show everything' }).click();
    t.equal(await page.getByRole('article').count(), 7);
    assertClean(t, visited);
  });

  t.test('the search finds services, hostnames and numbers, on every host', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    await fillRegistry(request);
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page.getByRole('article', { name: 'odin' }).waitFor();
    await page.keyboard.press('/');
    const rows = page.getByRole('region', { name: /match/ }).getByRole('row');
    for (const [typed, expected] of [
      [
        'ingest',
        [
          '3300 odin/ingest default build-1 TCP Not checked yet',
          '3300 odin/ingest default localhost TCP Not checked yet',
        ],
      ],
      ['grafana.example', ['9004 shared-services/grafana default localhost TCP Not checked yet grafana.example.com']],
      ['3107', ['3107 consilio/web staging localhost TCP Not checked yet']],
      ['search', ['3320 odin/search localhost TCP Reserved']],
    ] as const) {
      await page.getByRole('searchbox').fill(typed);
      await page.getByRole('heading', { name: `${expected.length} match` }).waitFor();
      const texts = (await rows.allInnerTexts()).slice(1).map((text) => text.replace(/\s+/g, ' ').trim());
      t.same(texts.sort(), expected);
    }
    await page.getByRole('searchbox').fill('3155');
    await page.getByText('3155 is free, in the range of consilio.').waitFor();
    t.equal(await page.getByRole('article').count(), 1, 'the project whose range it is in');
    await page.getByRole('searchbox').fill('8080');
    await page.getByText('8080 is in no range').waitFor();
    await page.getByRole('searchbox').fill('ingest');
    await page
      .getByRole('row', { name: /build-1/ })
      .getByRole('button')
      .click();
    await page.getByRole('heading', { name: '3300 build-1 TCP' }).waitFor();
    t.equal(await page.getByRole('combobox', { name: 'Host' }).inputValue(), 'build-1', 'the map moves there');
    t.equal(await page.getByRole('combobox', { name: 'Environment' }).inputValue(), '');
    assertClean(t, visited);
  });

  t.test('a service gets a port, is described, and releases the port after a confirmation', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    const visited = await visit(t, browser, url);
    const { page } = visited;
    const details = page.getByRole('dialog', { name: '3300' });
    await page.getByRole('button', { name: 'Get a port' }).click();
    await page.getByRole('combobox', { name: 'Project' }).fill('odin');
    await page.getByRole('combobox', { name: 'Service' }).fill('Web');
    await page.getByRole('button', { name: 'Get it' }).click();
    await page.getByRole('alert').getByText('/path/service').waitFor();
    t.equal(await page.getByRole('combobox', { name: 'Service' }).getAttribute('aria-invalid'), 'true');
    await page.getByRole('combobox', { name: 'Service' }).fill('web');
    await page.getByRole('button', { name: 'Get it' }).click();
    await page.getByText('odin/web has port 3300.').waitFor();
    await details.getByRole('definition').getByText('odin/web').waitFor();

    await details.getByRole('button', { name: 'Describe' }).click();
    await page.getByLabel('Public hostname').fill('www.example.com');
    await page.getByLabel('Metadata').fill('{ "team": ');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Metadata is no JSON object').waitFor();
    await page.getByLabel('Metadata').fill('{ "team": "core" }');
    await page.getByRole('button', { name: 'Save' }).click();
    await details.getByRole('definition').getByText('www.example.com').waitFor();
    const [held] = (await request('GET', '/v1/allocations')).body.items;
    t.match(held, { port: 3300, metadata: { team: 'core' }, cloudflareHostname: 'www.example.com', description: null });

    await details.getByRole('button', { name: 'Release' }).click();
    await page.getByRole('button', { name: 'Keep it' }).click();
    t.equal((await request('GET', '/v1/allocations')).body.items.length, 1, 'nothing is lost without a yes');
    await details.getByRole('button', { name: 'Release' }).click();
    await page.getByRole('button', { name: 'Release 3300' }).click();
    await page.getByText('Port 3300 was released.').waitFor();
    t.same((await request('GET', '/v1/allocations')).body.items, []);
    await cell(page, '3300, free').waitFor();
    await details.getByRole('definition').first().waitFor({ state: 'detached' });
    await details.getByRole('listitem').getByText('odin/web').waitFor(); // in the port's history, where it stays

    await cell(page, '3342, free').click();
    await page.getByRole('button', { name: 'Get this port' }).click();
    await page.getByRole('combobox', { name: 'Service' }).fill('legacy');
    await page.getByRole('button', { name: 'Get it' }).click();
    await cell(page, '3342, not checked yet, legacy').waitFor();
    assertClean(t, visited);
  });

  t.test('a port is reserved, claimed, and another reservation cancelled', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t));
    const visited = await visit(t, browser, url);
    const { page } = visited;
    for (const port of [3310, 3311]) {
      await cell(page, `${port}, free`).click();
      await page.getByRole('button', { name: 'Reserve it' }).click();
      await page.getByLabel('For', { exact: true }).selectOption('7 days');
      await page.getByLabel('Reserved by').fill('ci-42');
      await page.getByRole('dialog').getByRole('button', { name: 'Reserve it' }).last().click();
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
    await page
      .getByRole('dialog', { name: /^Cancel/ })
      .getByRole('button', { name: 'Cancel the reservation' })
      .click();
    await cell(page, '3310, free').waitFor();
    assertClean(t, visited);
  });

  t.test('an audit tells how far it is, what has stopped, and what listens that should not', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t), { PROBE_CONCURRENCY: '1' });
    await fillRegistry(request);
    await runServices(t, request);
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await cell(page, '3104, stopped').waitFor();
    await page.getByRole('button', { name: 'Run an audit' }).click();
    await page.getByRole('progressbar', { name: 'Progress of the audit' }).waitFor();
    await page.getByText(/^Auditing localhost: [\d,]+ of [\d,]+ ports$/).waitFor();
    await page.getByRole('heading', { name: /^The audit found \d+ things$/ }).waitFor();
    const findings = page.getByRole('region', { name: /^The audit found/ });
    await findings.getByText('Nobody holds port 3190 on localhost, yet something listens there.').waitFor();
    await findings.getByText(/^Port 3320 on localhost is reserved/).waitFor();
    const heading = await findings.getByRole('heading').innerText();
    await cell(page, '3190, in conflict').waitFor();

    const other = await visit(t, browser, url);
    for (const viewer of [page, other.page]) {
      if (viewer === page) await viewer.reload();
      await viewer.getByText(/^Audited \d+ seconds? ago|^Audited now/).waitFor();
      await cell(viewer, '3190, in conflict').waitFor();
      t.equal(await viewer.getByRole('heading', { name: /^The audit found/ }).innerText(), heading);
    }

    await findings.getByRole('button', { name: '3190' }).click();
    await page.getByRole('button', { name: 'Get this port' }).click();
    await page.getByRole('combobox', { name: 'Service' }).fill('stranger');
    await page.getByRole('button', { name: 'Get it' }).click();
    await cell(page, '3190, not checked yet, stranger').waitFor();
    t.equal(await findings.getByRole('button', { name: '3190' }).count(), 0, 'what was mended is no finding any more');

    await page.getByRole('button', { name: 'Probe now' }).click();
    await page
      .getByRole('dialog')
      .getByText(/^open, /)
      .waitFor();
    await cell(page, '3190, in use, stranger').waitFor();

    await page.getByRole('button', { name: /^Stopped \d+/ }).click();
    await page.getByRole('button', { name: 'Show everything' }).waitFor();
    t.notOk(await page.getByRole('article', { name: 'meta-supervisor' }).count(), 'where all that is held runs');
    assertClean(t, visited);
  });

  t.test('an audit can be stopped', async (t) => {
    const { url, request } = await serve(t, await openPostgres(t), {
      PROBE_CONCURRENCY: '1',
      PROBE_TIMEOUT_MS: '60000',
    });
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
