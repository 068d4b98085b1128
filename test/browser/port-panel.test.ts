import t from 'tap';
import { assertClean, cell, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, runServices, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';

t.test('the details of a port', async (t) => {
  const browser = await openBrowser(t);
  const { url, request } = await serve(t, await openPostgres(t));
  await fillRegistry(request);
  await runServices(t, request);
  await request('POST', '/v1/audits', { host: 'localhost', unallocated: true });

  t.test('follow what others do, and release it and take it back', async (t) => {
    const visited = await visit(t, browser, `${url}?view=map&port=3107`);
    const { page } = visited;
    const details = page.getByRole('dialog', { name: /3107/ });
    await details.getByText('In use').waitFor();
    const { id } = (await request('GET', '/v1/allocations?port=3107')).body.items[0];
    await request('PATCH', `/v1/allocations/${id}`, { description: 'Told by another', metadata: { team: 'core' } });
    await details.getByText('Told by another').waitFor();
    await details.getByText('"team": "core"').waitFor();
    await details.getByRole('button', { name: 'Release' }).click();
    await page.getByRole('button', { name: 'Release 3107' }).click();
    await page.locator('.notice').getByText('Port 3107 was released.').waitFor();
    await details.getByRole('button', { name: 'Get this port' }).waitFor();
    t.ok(await page.evaluate('document.activeElement.matches("main, .details *")'), 'the focus is not lost');
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.locator('.notice').getByText('Port 3107 is held again.').waitFor();
    await details.getByText('Told by another').waitFor();
    await details.locator('.history').last().getByText('consilio/web').nth(1).waitFor();
    assertClean(t, visited);
  });

  t.test('have what is to be done about a finding', async (t) => {
    const visited = await visit(t, browser, `${url}?view=map&port=3190`);
    const { page } = visited;
    await page.getByRole('dialog').getByText('In conflict').waitFor();
    await page.getByRole('button', { name: 'Allocate it to…' }).click();
    t.equal(page.url(), `${url}?view=map&port=3190&dialog=adopt%3A3190`);
    await page.goto(`${url}?view=map&port=3104`);
    await page.getByRole('dialog').getByText('Stopped', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Release it' }).click();
    await page.getByRole('dialog', { name: 'Release port 3104?' }).waitFor();
    assertClean(t, visited);
  });

  t.test('renew a reservation, and say why a port is excluded', async (t) => {
    const visited = await visit(t, browser, `${url}?view=map&port=3140`);
    const { page } = visited;
    await page.getByRole('button', { name: 'Renew' }).click();
    await page.getByLabel('Keep it for').selectOption('604800');
    await page.getByRole('button', { name: 'Renew it' }).click();
    await page.locator('.notice').getByText('Port 3140 is reserved until').waitFor();
    await page.getByRole('dialog').getByText('in 7 days').waitFor();
    await request('PUT', '/v1/excluded-ports/3150', { reason: 'Our VPN client listens there' });
    await page.goto(`${url}?view=map&port=3150`);
    await page.getByRole('dialog').getByText('Our VPN client listens there').waitFor();
    await request('DELETE', '/v1/excluded-ports/3150');
    await page.getByRole('dialog').getByText('Our VPN client listens there').waitFor({ state: 'detached' });
    assertClean(t, visited);
  });

  t.test('cover the page where it is narrow, and give the focus back', async (t) => {
    const visited = await visit(t, browser, `${url}?view=map`, { viewport: { width: 360, height: 800 } });
    const { page } = visited;
    await cell(page, '3101').click();
    await page.locator('.details:modal').waitFor();
    await page.setViewportSize({ width: 1440, height: 800 });
    await page.locator('.details:not(:modal)').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.details').waitFor({ state: 'detached' });
    t.equal(await page.evaluate("document.activeElement.getAttribute('data-stop')"), '3101');
    await page.goBack();
    await page.getByRole('dialog', { name: /3101/ }).waitFor();
    assertClean(t, visited);
  });
});
