import t from 'tap';
import { assertClean, findViolations, hasFocus, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, PROBED, runServices, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { listen } from '../helpers/listeners.js';

t.test('the findings', async (t) => {
  const browser = await openBrowser(t);
  const database = await openPostgres(t);
  const { url, request } = await serve(t, database);
  await fillRegistry(request);

  await t.test('are not said to be none before anybody has looked', async (t) => {
    const visited = await visit(t, browser, `${url}?view=findings`);
    const { page } = visited;
    await page.getByRole('heading', { name: 'Not checked yet' }).waitFor();
    await page.getByText('All projects, all hosts. Not checked yet.').waitFor();
    t.same(await page.locator('.findings-tiles .tile-value').allInnerTexts(), Array(7).fill('–'));
    assertClean(t, visited);
  });

  await runServices(t, request);

  t.test('come live with an audit that is run here, worst first', async (t) => {
    const visited = await visit(t, browser, `${url}?view=findings`);
    const { page } = visited;
    await page.getByRole('button', { name: 'Run an audit' }).click();
    await page.getByRole('heading', { name: /^Uninvited/ }).waitFor();
    const names = await page.locator('.findings-group h3').allInnerTexts();
    t.same(
      names.map((name) => name.replace(/\s*\d+$/, '')),
      ['Uninvited', 'Too early', 'Not running', 'Out of reach'],
    );
    await page.getByRole('button', { name: 'Too early 1' }).click();
    await page.waitForURL(`${url}?view=findings&kind=reserved-in-use`);
    t.equal(await page.getByRole('heading', { name: /^Uninvited/ }).count(), 0);
    await page.reload();
    await page.getByRole('button', { name: 'Claim 3320' }).waitFor();
    t.equal(await page.locator('.findings-group').count(), 1, 'the same after a reload');
    await page.getByLabel('Host').selectOption('build-1');
    await page.getByRole('heading', { name: 'Nothing of the kind “Too early” was found' }).waitFor();
    await page.goBack();
    await page.getByRole('button', { name: 'Claim 3320' }).waitFor();
    assertClean(t, visited);
  });

  t.test('lets a port be allocated to what listens there, by the keyboard alone', async (t) => {
    const visited = await visit(t, browser, `${url}?view=findings&kind=squatter`);
    const { page } = visited;
    const allocate = page.getByRole('button', { name: 'Allocate to… 3190' });
    await allocate.focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Allocate 3190 to what listens there' });
    await dialog.waitFor();
    t.equal(page.url(), `${url}?view=findings&kind=squatter&dialog=adopt%3A3190`);
    t.match(await dialog.getByLabel('Service').inputValue(), /^(node|port-3190)$/, 'made of the process');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    t.equal(await hasFocus(allocate), true);
    await page.keyboard.press('Enter');
    await dialog.getByLabel('Service').fill('legacy');
    let probe = () => {};
    const isHeld = page.locator('.finding').getByText('3190').waitFor({ state: 'detached' });
    const isProbed = new Promise<void>((resolve) => {
      probe = resolve;
    });
    await page.route('**/health-checks', async (route) => {
      await isProbed;
      await route.continue();
    });
    await page.keyboard.press('Enter');
    await isHeld;
    t.equal(await dialog.getByLabel('Service').inputValue(), 'legacy', 'it says nothing else while it succeeds');
    probe();
    await page.getByText('consilio/legacy has port 3190.').waitFor();
    await page.getByRole('heading', { name: /3190/ }).waitFor();
    await allocate.waitFor({ state: 'detached' });
    const { state, allocation } = (await request('GET', '/v1/ports/3190')).body;
    t.strictSame([state, allocation.service], ['in_use', 'legacy'], 'and known to run');
    assertClean(t, visited);
  });

  t.test('lets several be released at once and taken back, and one be probed again', async (t) => {
    const visited = await visit(t, browser, `${url}?view=findings&kind=not-running&project=consilio`);
    const { page } = visited;
    await page.getByLabel('Select 3104 on localhost').check();
    await page.getByLabel('Select 3109 on localhost').check();
    await page.getByRole('button', { name: 'Release 2 ports' }).click();
    const dialog = page.getByRole('dialog', { name: 'Release 2 ports?' });
    await dialog.getByRole('button', { name: 'Release 2 ports' }).click();
    await page.getByText('2 ports were released.').waitFor();
    await page.getByLabel('Select 3104 on localhost').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('2 ports of 2 are held again.').waitFor();
    t.equal((await request('GET', '/v1/ports/3104')).body.state, 'allocated');

    await page.getByRole('button', { name: 'Probe again 3104' }).click();
    await page.getByText('Nothing listens on port 3104.').waitFor();
    await listen(t, PROBED, 3104);
    await page.getByRole('button', { name: 'Probe again 3104' }).click();
    await page.getByText('Port 3104 answers now.').waitFor();
    await page.getByRole('button', { name: 'Probe again 3104' }).waitFor({ state: 'detached' });
    assertClean(t, visited);
  });

  t.test('lets what listens uninvited be excluded, and that be taken back', async (t) => {
    await listen(t, PROBED, 3195);
    await listen(t, PROBED, 3196);
    await request('POST', '/v1/audits', { unallocated: true });
    const visited = await visit(t, browser, `${url}?view=findings&kind=squatter&project=consilio`);
    const { page } = visited;
    await page.getByLabel('Select all 2').check();
    await page.getByRole('button', { name: 'Exclude 2 ports' }).click();
    await page.getByLabel('Reason').fill('The VPN listens there');
    await page.keyboard.press('Enter');
    await page.getByText('2 ports are excluded.').waitFor();
    await page.getByRole('heading', { name: 'Nothing of the kind “Uninvited” was found' }).waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('2 ports can be given out again.').waitFor();
    await page.getByLabel('Select 3195 on localhost').waitFor();
    assertClean(t, visited);
  });

  t.test('say when each part was checked, and are accessible in both themes, on every width', async (t) => {
    await request('POST', '/v1/audits', { project: 'odin' });
    const visited = await visit(t, browser, `${url}?view=findings`);
    const { page } = visited;
    await page.getByText('When each part was checked').click();
    await page.locator('.checked-parts').getByRole('link', { name: 'odin' }).first().waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const width of [360, 768, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        t.same(await findViolations(page), [], `${colorScheme}, ${width} pixels`);
        const content = await page.evaluate('document.documentElement.scrollWidth');
        t.ok(Number(content) <= width, `${content} of ${width}`);
      }
    }
    assertClean(t, visited);
  });
});
