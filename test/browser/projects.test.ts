import t from 'tap';
import { assertAccessible } from '../helpers/accessible.js';
import { assertClean, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';

t.test('the projects', async (t) => {
  const browser = await openBrowser(t);
  const { url, request } = await serve(t, await openPostgres(t));
  await fillRegistry(request);

  t.test('tell how full each is, and can be sorted by it', async (t) => {
    const visited = await visit(t, browser, `${url}?view=projects`);
    const { page } = visited;
    const row = page.getByRole('row', { name: /^consilio/ });
    await row.waitFor();
    t.match(
      await row.innerText(),
      /3100–3199[\s\S]*18 of 100 held[\s\S]*81[\s\S]*not checked yet[\s\S]*not checked yet/,
    );
    await page
      .getByRole('row', { name: /^openhorizon/ })
      .getByText('Nearly full')
      .waitFor();
    const sort = page.getByRole('button', { name: 'Fill' });
    await sort.click();
    await sort.click();
    t.equal(page.url(), `${url}?view=projects&sort=-fullness`);
    t.match(await page.getByRole('row').nth(1).innerText(), /^health-agent/);
    assertClean(t, visited);
  });

  t.test('are made and given ranges, which are changed and deleted', async (t) => {
    const visited = await visit(t, browser, `${url}?view=projects`);
    const { page } = visited;
    const notice = (text: string) => page.locator('.notice').getByText(text).waitFor();
    await page.getByRole('button', { name: 'New project' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('Not A Name');
    await dialog.getByRole('button', { name: 'Create it' }).click();
    await dialog.getByText(/Names are lower-case letters/).waitFor();
    await dialog.getByLabel('Name').fill('freya');
    await dialog.getByLabel('First port').fill('5000');
    await dialog.getByRole('button', { name: 'Create it' }).click();
    await page.getByRole('heading', { name: 'freya' }).waitFor();
    await notice('freya has ports 5000 to 5099.');
    await page.getByRole('button', { name: 'Add a range' }).click();
    await dialog.getByLabel('First port').fill('5000');
    await dialog.getByRole('button', { name: 'Add it' }).click();
    await dialog.getByText('Leave the start port open to get the lowest free block.').waitFor();
    await dialog.getByLabel('First port').fill('');
    await dialog.getByRole('button', { name: 'Add it' }).click();
    await notice('freya has ports 3600 to 3699.');
    await page.getByRole('button', { name: 'Change the range 3600–3699' }).click();
    await dialog.getByLabel('Description').fill('For the night builds');
    await dialog.getByLabel('Cooldown').selectOption('600');
    await dialog.getByRole('button', { name: 'Save' }).click();
    const range = page.getByRole('row', { name: /^3600–3699/ });
    await range.getByText('For the night builds').waitFor();
    await range.getByText('10 minutes').waitFor();

    await request('PUT', '/v1/projects/freya/services/web', {});
    await page.getByRole('link', { name: '3600', exact: true }).first().waitFor();
    await page.getByRole('button', { name: 'Delete the range 3600–3699' }).click();
    await dialog.getByText('1 port in it, on all hosts, is held or reserved.').waitFor();
    await dialog.getByRole('button', { name: 'Delete it' }).click();
    await dialog.getByRole('alert').getByText('Release what is in it first.').waitFor();
    await dialog.getByRole('button', { name: 'Keep it' }).click();
    await request('DELETE', '/v1/projects/freya/services/web');
    for (const ports of ['3600–3699', '5000–5099']) {
      await page.getByRole('button', { name: `Delete the range ${ports}` }).click();
      await dialog.getByRole('button', { name: 'Delete it' }).click();
      await notice(`The range ${ports} was deleted.`);
    }
    t.equal(page.url(), `${url}?view=projects`, 'the last range was the project');
    assertClean(t, visited);
  });

  t.test('have a page each, with what is held, by which environments, since when and by whom', async (t) => {
    const visited = await visit(t, browser, `${url}?view=project&project=consilio`);
    const { page } = visited;
    const services = page.getByRole('region', { name: 'Services' });
    await services.getByRole('row', { name: /^3107 web staging localhost Not checked yet/ }).waitFor();
    await services.getByText('19 held or reserved, on all hosts.').waitFor();
    const environments = page.getByRole('region', { name: 'Environments' });
    await environments.getByRole('row', { name: /^feature-login 6/ }).waitFor();
    const trend = page.getByRole('region', { name: 'Trend' });
    await trend.getByText('Between 0 and 18 ports were held, 18 are now.').first().waitFor();
    await trend.getByText('As a table').click();
    t.equal(await trend.getByRole('row').count(), 31);
    await page
      .getByRole('region', { name: 'History' })
      .getByText(/reserved 3140/)
      .waitFor();
    await request('PUT', '/v1/projects/consilio/services/late', {});
    await trend.getByText('Between 0 and 19 ports were held, 19 are now.').first().waitFor();
    await page
      .getByRole('region', { name: 'History' })
      .getByText(/consilio\/late/)
      .waitFor();
    await environments.getByRole('button', { name: 'Release all of consilio/staging' }).click();
    t.equal(page.url(), `${url}?view=project&project=consilio&dialog=release-environment%3Aconsilio%2Fstaging`);
    await page.getByRole('dialog').waitFor();
    assertClean(t, visited);
  });

  t.test('are accessible in both themes, on every width', async (t) => {
    const visited = await visit(t, browser, `${url}?view=projects`);
    const { page } = visited;
    await page.getByRole('row', { name: /odin/ }).first().waitFor();
    await assertAccessible(t, page, 'the list');
    await page.goto(`${url}?view=project&project=odin`);
    await page
      .getByRole('region', { name: 'Trend' })
      .getByText(/ports were held/)
      .first()
      .waitFor();
    await assertAccessible(t, page, 'the page of a project');
    assertClean(t, visited);
  });
});
