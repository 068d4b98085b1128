import { readFile } from 'node:fs/promises';
import t from 'tap';
import { assertAccessible, SOME } from '../helpers/accessible.js';
import { assertClean, openBrowser, type Visit, visit } from '../helpers/browser.js';
import { fillRegistry, serve } from '../helpers/dashboard.js';
import { visitWithKey } from '../helpers/dashboard-keys.js';
import { openPostgres } from '../helpers/database.js';
import { focused, tabTo } from '../helpers/keyboard.js';
import { ADMIN, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { until } from '../helpers/until.js';

const CLIPBOARD = { permissions: ['clipboard-read', 'clipboard-write'], acceptDownloads: true };
const ODIN = 'project=odin&environment=default&host=localhost';

const previewOf = ({ page }: Visit) => page.getByRole('region', { name: 'The text' });
const copied = ({ page }: Visit) => page.evaluate<string>('navigator.clipboard.readText()');

t.test('the exports', async (t) => {
  const browser = await openBrowser(t);
  const { url, request } = await serve(t, await openPostgres(t));
  await fillRegistry(request);
  const exported = async (format: string, query: string) =>
    (await request('GET', `/v1/exports/${format}?${query}`)).text;

  t.test('show each format as programs get it, to be copied and downloaded', async (t) => {
    const visited = await visit(t, browser, `${url}?view=exports&${ODIN}`, CLIPBOARD);
    const { page } = visited;
    for (const [format, name, file] of [
      ['prometheus', 'Prometheus', 'targets.json'],
      ['cloudflared', 'cloudflared', 'ingress.yml'],
      ['traefik', 'Traefik', 'traefik.json'],
      ['consul', 'Consul', 'port-allocator.json'],
      ['dotenv', '.env file', 'ports.env'],
    ] as const) {
      await page.getByLabel('Format').selectOption({ label: name });
      const curl = `curl -fsS -o ${file} '${url}v1/exports/${format}?${ODIN}'`;
      await page.getByText(curl, { exact: true }).waitFor();
      const expected = await exported(format, ODIN);
      await previewOf(visited).getByText(expected.trim().slice(0, 20)).waitFor();
      t.equal(await previewOf(visited).locator('pre').textContent(), expected, format);
      await page.getByRole('button', { name: 'Copy the export' }).click();
      await page.getByText('the export copied').waitFor();
      t.equal(await copied(visited), expected);
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Download' }).click(),
      ]);
      t.equal(download.suggestedFilename(), file);
      t.equal(await readFile(await download.path(), 'utf8'), expected);
      await page.getByRole('button', { name: 'Copy the curl line' }).click();
      t.equal(await copied(visited), curl);
    }
    await page.getByRole('button', { name: 'Copy the pa line' }).click();
    const options = '--project odin --environment default --host localhost';
    t.equal(await copied(visited), `pa watch --all ${options} --format dotenv --write ports.env`);
    assertClean(t, visited);
  });

  t.test('are chosen by the address, which survives reload and back', async (t) => {
    const visited = await visit(t, browser, `${url}?view=exports`);
    const { page } = visited;
    const lines = (count: number) => page.getByText(new RegExp(`^${count} lines?, text/plain, as of `)).waitFor();
    await page.getByLabel('Format').selectOption('dotenv');
    await page.getByLabel('Project').selectOption('consilio');
    await page.getByLabel('Environment').selectOption('staging');
    await lines(6);
    t.equal(page.url(), `${url}?view=exports&format=dotenv&project=consilio&environment=staging`);
    await page.reload();
    await lines(6);
    t.same(
      await Promise.all(['Format', 'Project', 'Environment'].map((label) => page.getByLabel(label).inputValue())),
      ['dotenv', 'consilio', 'staging'],
    );
    await page.goBack();
    await page.getByRole('alert').getByText('each of these names stands once, or take another').waitFor();
    t.equal(await previewOf(visited).count(), 0, 'nothing to copy of what was refused');
    await page.goForward();
    await lines(6);
    assertClean(t, visited);
  });

  t.test('follow what changes, and say where a hostname does not lead', async (t) => {
    const visited = await visit(t, browser, `${url}?view=exports&format=cloudflared`);
    const { page } = visited;
    await previewOf(visited).getByText('hostname: www.example.com').waitFor();
    t.equal(await page.getByText('others had them first').count(), 0);
    await request('PUT', '/v1/projects/odin/services/query', { cloudflareHostname: 'www.example.com' });
    await page.getByText('because others had them first: www.example.com.').waitFor();
    await request('PUT', '/v1/projects/odin/services/query', { cloudflareHostname: 'odin.example.com' });
    await previewOf(visited).getByText('hostname: odin.example.com').waitFor();
    await page.getByText('others had them first').waitFor({ state: 'detached' });
    assertClean(t, visited);
  });

  t.test('show the beginning of a long text, which is read again only when that is wanted', async (t) => {
    const visited = await visit(t, browser, url, CLIPBOARD);
    const { page } = visited;
    const text = Array.from({ length: 60_000 }, (_, i) => `"${i}": "<b>x</b>"\n`).join('');
    let reads = 0;
    await page.route('**/v1/exports/**', (route) => {
      reads++;
      return route.fulfill({ contentType: 'application/json', body: text });
    });
    await page.goto(`${url}?view=exports`);
    await page.getByText(/^These are the first [\d,]+ lines of 60,000\./).waitFor();
    await page.getByRole('button', { name: 'Copy the export' }).click();
    await page.getByText('the export copied').waitFor();
    t.equal(await copied(visited), text, 'all of it');
    await request('PUT', '/v1/projects/odin/services/another', {});
    const again = page.waitForResponse('**/v1/exports/**');
    await page.getByRole('button', { name: 'It has changed since: read it again' }).click();
    await page.getByText('It has changed since').waitFor({ state: 'detached' });
    await again;
    t.equal(reads, 2);
    assertClean(t, visited);
  });

  t.test('put nothing into a shell that the address has smuggled in', async (t) => {
    const visited = await visit(t, browser, `${url}?view=exports&environment=${encodeURIComponent("x';rm -rf ~;'")}`);
    const { page } = visited;
    const quoted = `--environment 'x'\\'';rm -rf ~;'\\''' --format`;
    await page.getByText(quoted).waitFor();
    await page.getByText('environment=x%27%3Brm+-rf+%7E%3B%27').waitFor();
    await page.getByRole('alert').getByText('cannot be used').waitFor();
    assertClean(t, visited);
  });

  t.test('are chosen, read, copied and downloaded by the keyboard alone', async (t) => {
    const visited = await visit(t, browser, `${url}?view=exports&project=openhorizon`, CLIPBOARD);
    const { page } = visited;
    const { keyboard } = page;
    await previewOf(visited).waitFor();
    await tabTo(page, 'Format');
    await keyboard.type('.env');
    await page.getByText(/^84 lines, text\/plain/).waitFor();
    t.equal(page.url(), `${url}?view=exports&project=openhorizon&format=dotenv`);
    t.equal(await focused(page), 'Format');
    await tabTo(page, 'Copy the export');
    await keyboard.press('Enter');
    await page.getByText('the export copied').waitFor();
    t.equal(await copied(visited), await exported('dotenv', 'project=openhorizon'));
    await keyboard.press('Tab');
    t.equal(await focused(page), 'Download');
    const [download] = await Promise.all([page.waitForEvent('download'), keyboard.press('Enter')]);
    t.equal(download.suggestedFilename(), 'ports.env');
    await tabTo(page, 'The text');
    await keyboard.press('End');
    await until(() => page.evaluate<boolean>('document.activeElement.scrollTop > 0'));
    assertClean(t, visited);
  });

  t.test('are accessible in both themes, on every width', async (t) => {
    const visited = await visit(t, browser, `${url}?view=exports`);
    const { page } = visited;
    await previewOf(visited).waitFor();
    await assertAccessible(t, page, 'a preview');
    await page.getByLabel('Format').selectOption('dotenv');
    await page.locator('.refusal').waitFor();
    await assertAccessible(t, page, 'refused', SOME);
    assertClean(t, visited);
  });

  t.test('have what the key may see, and never the key', async (t) => {
    const keyed = await serve(t, await openPostgres(t), WITH_KEYS);
    for (const project of ['odin', 'consilio']) {
      await keyed.request('PUT', `/v1/projects/${project}/services/${project}-web`, {}, ADMIN);
    }
    const address = `${keyed.url}?view=exports`;
    for (const [role, covered, seen] of [
      ['reader', [], ['"consilio-web"', '"odin-web"']],
      ['project', ['odin'], ['"odin-web"']],
    ] as const) {
      const { key } = await makeKey(keyed.request, role, ...covered);
      const visited = await visitWithKey(t, browser, address, key);
      const { page } = visited;
      await previewOf(visited).getByText('odin-web').waitFor();
      t.same((await previewOf(visited).innerText()).match(/"\w+-web"/g)?.sort(), seen, role);
      await page.getByText('curl -fsS -H "Authorization: Bearer $PORT_ALLOCATOR_API_KEY" -o targets.json').waitFor();
      t.notMatch(await page.locator('body').innerText(), new RegExp(key));
      const options = await page.getByLabel('Project').locator('option').allInnerTexts();
      t.equal(options.includes('consilio'), role === 'reader');
      assertClean(t, visited);
    }
  });
});
