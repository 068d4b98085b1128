// The Cloudflare tunnel that follows: its state, the plan, and applying it.
import t from 'tap';
import { assertAccessible, SOME } from '../helpers/accessible.js';
import { assertClean, openBrowser, visit } from '../helpers/browser.js';
import { CLOUDFLARE, startCloudflare, TUNNEL_ID } from '../helpers/cloudflare/api.js';
import { serve } from '../helpers/dashboard.js';
import { visitWithKey } from '../helpers/dashboard-keys.js';
import { openPostgres } from '../helpers/database.js';
import { tabTo, untilFocused } from '../helpers/keyboard.js';
import { ADMIN_KEY, makeKey, WITH_KEYS } from '../helpers/keys.js';

t.test('the Cloudflare tunnel', async (t) => {
  const browser = await openBrowser(t);
  const cloudflare = await startCloudflare(t);
  const { url, request } = await serve(t, await openPostgres(t), CLOUDFLARE, { cloudflareUrl: cloudflare.url });
  const address = `${url}?view=cloudflare`;
  const allocate = (service: string, cloudflareHostname: string) =>
    request('PUT', `/v1/projects/odin/services/${service}`, { cloudflareHostname });
  await allocate('web', 'shop.example.com');
  await allocate('api', 'api.example.com');
  await allocate('blog', 'blog.example.net');
  const hostnames = () => cloudflare.records.map(({ name }) => name).sort();

  await t.test('has a plan in words, and is changed only once that is confirmed', async (t) => {
    const visited = await visit(t, browser, url);
    const { page } = visited;
    await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Cloudflare' }).click();
    t.equal(page.url(), address);
    await page.getByText('Nothing was applied to this tunnel yet, and nothing is changed unasked.').waitFor();
    const facts = page.locator('dl.facts');
    t.match(await facts.innerText(), new RegExp(`${TUNNEL_ID}[^]*example.com, example.org[^]*not yet`));
    await page.getByRole('button', { name: 'Show the plan' }).click();
    t.equal(page.url(), `${address}&plan=shown`);
    await page.getByText(/^4 changes: 2 rules made, 2 DNS records made, as of .* Nothing is changed yet\.$/).waitFor();
    const changes = page.getByRole('table', { name: /^Changes that applying makes/ });
    await changes.getByRole('row', { name: /^shop\.example\.com rule made .* http:\/\/localhost:330/ }).waitFor();
    const conflicts = page.getByRole('table', { name: /^What is not as the registry has it/ });
    await conflicts.getByRole('row', { name: /^blog\.example\.net In none of the zones/ }).waitFor();
    await page.reload();
    await changes.waitFor();
    await page.goBack();
    await changes.waitFor({ state: 'detached' });
    t.equal(page.url(), address);
    await page.goForward();
    await changes.waitFor();

    await page.getByRole('button', { name: 'Apply…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Apply the plan?' });
    await dialog.getByText('In Cloudflare, 4 changes: 2 rules made, 2 DNS records made.').waitFor();
    t.equal(page.url(), `${address}&plan=shown&dialog=apply-cloudflare`);
    await page.reload();
    await dialog.getByText('It is the first time.').waitFor();
    t.equal(await dialog.getByRole('listitem').count(), 4);
    await dialog.getByText('Not touched: 1 conflict, which the plan lists.').waitFor();
    await dialog.getByRole('button', { name: 'Not now' }).click();
    await dialog.waitFor({ state: 'detached' });
    t.same(hostnames(), [], 'nothing was changed');

    await page.getByRole('button', { name: 'Apply…' }).click();
    await dialog.getByRole('button', { name: 'Make 4 changes' }).click();
    await page.getByText('Cloudflare was changed. 4 changes: 2 rules made, 2 DNS records made.').waitFor();
    t.same(hostnames(), ['api.example.com', 'shop.example.com']);
    await page.getByText('There is nothing to change: the tunnel and its DNS records are in step').waitFor();
    await facts.getByText(/^since/).waitFor();
    t.match((await facts.innerText()).replace(/\s+/g, ' '), /Left to do 0 Conflicts 1/);
    assertClean(t, visited);
  });

  await t.test('is applied by the keyboard alone', async (t) => {
    await request('DELETE', '/v1/projects/odin/services/api');
    const visited = await visit(t, browser, address);
    const { page } = visited;
    await page.getByRole('button', { name: 'Show the plan' }).waitFor();
    await tabTo(page, 'Show the plan');
    await page.keyboard.press('Enter');
    await page.getByText(/^2 changes: 1 DNS record deleted, 1 rule deleted, as of/).waitFor();
    await untilFocused(page, 'Plan again');
    await tabTo(page, 'Apply…');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Make 2 changes' }).waitFor();
    await page.keyboard.press('Escape');
    await untilFocused(page, 'Apply…');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Make 2 changes' }).waitFor();
    await tabTo(page, 'Make 2 changes');
    await page.keyboard.press('Enter');
    await page.getByText('Cloudflare was changed. 2 changes').waitFor();
    await untilFocused(page, 'Apply…');
    t.same(hostnames(), ['shop.example.com']);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Apply the plan' }).getByText('There is nothing to change').waitFor();
    await page.keyboard.press('Escape');
    await untilFocused(page, 'Apply…');
    assertClean(t, visited);
  });

  await t.test('says in words what has failed, and what is to be done', async (t) => {
    const visited = await visit(t, browser, address);
    const { page } = visited;
    await allocate('docs', 'docs.example.com');
    await page.getByRole('button', { name: 'Apply…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Apply the plan?' });
    await dialog.getByRole('button', { name: 'Make 2 changes' }).waitFor();
    cloudflare.faults.push({ on: /POST .*dns_records/, status: 403, message: 'Authentication error' });
    await dialog.getByRole('button', { name: 'Make 2 changes' }).click();
    const told = dialog.getByRole('alert');
    await told.getByText(/Authentication error/).waitFor();
    await told.getByText('What was changed before stays. Try again as soon as the cause is gone.').waitFor();
    await dialog.getByRole('button', { name: 'Not now' }).click();
    await page.getByText(/^The last attempt failed .*Authentication error/).waitFor();
    await page.getByText('The rest is done by the next attempt, or by applying the plan here.').waitFor();
    await assertAccessible(t, page, 'a failure', SOME);
    await page.getByRole('button', { name: 'Apply…' }).click();
    await dialog.getByRole('button', { name: 'Make 1 change' }).click();
    await page.getByText('Cloudflare was changed. 1 change: 1 DNS record made.').waitFor();
    await page.getByText(/^The last attempt failed/).waitFor({ state: 'detached' });
    assertClean(t, visited);
  });

  await t.test('a connection that breaks during the plan is no mistake of the page', async (t) => {
    const visited = await visit(t, browser, address);
    const { page } = visited;
    await page.route('**/v1/cloudflare/plan', (route) => route.abort());
    await page.getByRole('button', { name: 'Show the plan' }).click();
    await page.getByText('The registry does not answer.').waitFor();
    assertClean(t, visited);
  });

  await t.test('is accessible in both themes on every width', async (t) => {
    await allocate('wiki', 'wiki.example.com');
    const visited = await visit(t, browser, `${address}&plan=shown`);
    const { page } = visited;
    await page.getByRole('table', { name: /^Changes that applying makes/ }).waitFor();
    await assertAccessible(t, page, 'the plan');
    await page.getByRole('button', { name: 'Apply…' }).click();
    await page.getByRole('button', { name: 'Make 2 changes' }).waitFor();
    await assertAccessible(t, page, 'applying it');
    assertClean(t, visited);
  });

  t.test('is offered to admins alone, who are told how to configure one', async (t) => {
    const keyed = await serve(t, await openPostgres(t), WITH_KEYS);
    const admin = await visitWithKey(t, browser, `${keyed.url}?view=cloudflare`, ADMIN_KEY);
    await admin.page.getByText('No tunnel is configured here').waitFor();
    await admin.page.getByText('CLOUDFLARE_ZONES').waitFor();
    const link = admin.page.getByRole('link', { name: 'the contract' });
    t.equal(await link.getAttribute('href'), `${keyed.url}docs/#/cloudflare`);
    t.equal(await admin.page.getByRole('button', { name: 'Apply…' }).count(), 0);
    await assertAccessible(t, admin.page, 'none configured', SOME);
    await admin.page.goto(`${keyed.url}?view=cloudflare&dialog=apply-cloudflare`);
    await admin.page.getByRole('dialog').getByText('No Cloudflare tunnel is configured here.').waitFor();
    assertClean(t, admin);

    const project = await makeKey(keyed.request, 'project', 'odin');
    const other = await visitWithKey(t, browser, `${keyed.url}?view=cloudflare`, project.key);
    await other.page.getByText('It takes a key with the role admin to see the tunnel').waitFor();
    const views = other.page.getByRole('navigation', { name: 'Views' });
    await views.getByRole('link', { name: 'Webhooks' }).waitFor();
    t.equal(await views.getByRole('link', { name: 'Cloudflare' }).count(), 0);
    assertClean(t, other);
  });
});
