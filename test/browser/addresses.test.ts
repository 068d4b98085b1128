// Everything that somebody chooses to see has an address: it can be sent to others, and survives a reload and *back*.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t from 'tap';
import { packageRoot } from '../../src/package-root.js';
import { assertClean, cell, openBrowser, visit } from '../helpers/browser.js';
import { openDialog, serveEverything, visitAsAdmin } from '../helpers/everything.js';
import { ADMIN } from '../helpers/keys.js';

const heading = (page: Page, name: string | RegExp) =>
  page.getByRole('main').getByRole('heading', { level: 2, name, exact: true }).waitFor();
/** Views whose heading says what is chosen in them. */
const HEADINGS: Record<string, string> = { 'The past': 'What was held at a moment' };
const dialog = (page: Page, name: string) => page.getByRole('dialog', { name, exact: true });

t.test('addresses', async (t) => {
  const browser = await openBrowser(t);
  const { url, request, views, dialogs } = await serveEverything(t);

  t.test('of each view survive a reload, and back goes to the view before', async (t) => {
    const visited = await visitAsAdmin(t, browser, url);
    const { page } = visited;
    await heading(page, 'Services');
    const links = page.getByRole('navigation', { name: 'Views' }).getByRole('link');
    const gone: [address: string, name: string][] = [[page.url(), 'Services']];
    for (const name of (await links.allTextContents()).map((text) => text.replace(/\d+$/, ''))) {
      await links.filter({ hasText: name }).click();
      await heading(page, HEADINGS[name] ?? name);
      t.equal(await page.title(), `${name} · Port Allocator`);
      t.equal(await page.locator('nav [aria-current="page"]').count(), 1);
      if (page.url() !== gone.at(-1)?.[0]) gone.push([page.url(), name]);
    }
    t.equal(new Set(gone.map(([address]) => address)).size, 15, 'each has its own');
    for (const [address, name] of gone.toReversed()) {
      if (page.url() !== address) await page.goBack();
      t.equal(page.url(), address);
      await heading(page, HEADINGS[name] ?? name);
    }
    for (const [query, name] of views) {
      await page.goto(`${url}${query}`);
      await heading(page, name);
      await page.reload();
      await heading(page, name);
      t.equal(page.url(), `${url}${query}`);
    }
    assertClean(t, visited);
  });

  t.test('of each dialog open it, also after a reload, and are left by Escape', async (t) => {
    t.same(Object.keys(dialogs).sort(), kindsOfDialogs().sort(), 'every dialog is here');
    const visited = await visitAsAdmin(t, browser, url);
    const { page } = visited;
    for (const [kind, [about, title]] of Object.entries(dialogs)) {
      await page.goto(`${url}?view=map&dialog=${kind}${about === '' ? '' : `:${encodeURIComponent(about)}`}`);
      await dialog(page, title).waitFor();
      await page.keyboard.press('Escape');
      await dialog(page, title).waitFor({ state: 'detached' });
      t.equal(page.url(), `${url}?view=map`, title);
    }
    for (const kind of ['release', 'describe', 'claim', 'cancel', 'renew', 'revoke-key', 'delete-webhook']) {
      await openDialog(page, kind, '00000000-0000-4000-8000-000000000000');
      await dialog(page, 'It is not there any more').waitFor();
      await page.keyboard.press('Escape');
      await dialog(page, 'It is not there any more').waitFor({ state: 'detached' });
    }
    assertClean(t, visited);
  });

  t.test('of a dialog that was opened here are gone when it was closed, also after a reload', async (t) => {
    const visited = await visitAsAdmin(t, browser, `${url}?view=projects`);
    const { page } = visited;
    const opener = page.getByRole('button', { name: 'New project' });
    await opener.click();
    await dialog(page, 'New project').waitFor();
    t.equal(page.url(), `${url}?view=projects&dialog=new-project`);
    await page.goBack();
    await dialog(page, 'New project').waitFor({ state: 'detached' });
    await page.goForward();
    await dialog(page, 'New project').waitFor();
    await page.reload();
    await dialog(page, 'New project').waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await dialog(page, 'New project').waitFor({ state: 'detached' });
    t.equal(page.url(), `${url}?view=projects`);
    await opener.click();
    await page.keyboard.press('Escape');
    await dialog(page, 'New project').waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'Map', exact: true }).click();
    await heading(page, 'Map');
    await page.goBack();
    await heading(page, 'Projects');
    t.equal(await page.getByRole('dialog').count(), 0, 'going back does not open it again');
    // Escape that is held down, or a click that comes twice before the browser has gone back.
    await opener.click();
    await dialog(page, 'New project').waitFor();
    await page.evaluate(
      `for (const _ of [1, 2, 3]) document.querySelector('dialog').dispatchEvent(new Event('cancel', { cancelable: true }))`,
    );
    await dialog(page, 'New project').waitFor({ state: 'detached' });
    await page.goForward();
    await dialog(page, 'New project').waitFor();
    t.equal(page.url(), `${url}?view=projects&dialog=new-project`, 'it has gone back once');
    assertClean(t, visited);
  });

  t.test('have what is searched for, of every host, and what is filtered', async (t) => {
    const visited = await visitAsAdmin(t, browser, url);
    const { page } = visited;
    const rows = async () =>
      (await page.locator('tr.port').allInnerTexts()).map((text) => text.replace(/\s+/g, ' ').trim().slice(0, 24));
    for (const [typed, expected] of [
      ['ingest', ['3300 ingest odin default', '3300 ingest odin default']],
      ['grafana.example', ['9004 grafana shared-serv']],
      ['3107', ['3107 web consilio stagin']],
      ['release pipeline odin', ['3320 search odin localho']],
    ] as const) {
      await page.getByRole('searchbox', { name: 'Search' }).fill(typed);
      await page.waitForURL(`${url}?${new URLSearchParams({ q: typed })}`);
      await page.getByText(`Showing ${expected.length} of`).waitFor();
      t.same(await rows(), expected, typed);
    }
    await page.reload();
    await page.getByText('Showing 1 of').waitFor();
    t.equal(await page.getByRole('searchbox', { name: 'Search' }).inputValue(), 'release pipeline odin');
    await page.goto(`${url}?view=map&host=build-1&project=odin&state=held&port=build-1:3300`);
    await page.getByRole('heading', { name: '3300 build-1 TCP' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: '3300 build-1 TCP' }).waitFor();
    t.equal(await page.getByLabel('Host').inputValue(), 'build-1');
    t.equal(await cell(page, '3300, ').getAttribute('aria-selected'), 'true');
    await page.getByRole('button', { name: 'Close the details' }).click();
    await page.goBack();
    await page.getByRole('heading', { name: '3300 build-1 TCP' }).waitFor();
    assertClean(t, visited);
  });

  t.test('that nobody of this page has made do not break it', async (t) => {
    const visited = await visitAsAdmin(t, browser, url);
    const { page } = visited;
    const long = 'x'.repeat(6000);
    for (const name of [
      ...[
        "host='x",
        'host=build 1',
        'host=%00',
        `host=${long}`,
        'host=127.0.0.1',
        'protocol=sctp',
        'protocol=__proto__',
      ],
      ...[
        'view=nothing',
        'view=__proto__',
        'view=constructor',
        `view=${long}`,
        'port=99999',
        'port=-1',
        "port='x:3100",
      ],
      ...['port=3100/sctp', 'dialog=constructor', 'dialog=__proto__:x', 'dialog=release', 'dialog=adopt:nothing'],
      ...[`dialog=release:${long}`, 'dialog=reserve:a/b/c', 'sort=constructor', 'sort=-nothing', 'columns=constructor'],
      ...[
        'columns=,,',
        'group=x',
        'state=constructor',
        'environment=%F0%9F%98%80',
        `q=${long}`,
        'q=(%5B*+%5C',
        '%%%',
        '=&&=',
      ],
      ...['project=%3Cimg src=x onerror=alert(1)%3E', `project=${long}`],
    ]) {
      for (const view of ['', 'view=map', 'view=project', 'view=projects']) {
        if (view !== '' && /^(view|columns|group)/.test(name)) continue;
        const query = [view, name].filter(Boolean).join('&');
        // The page is not loaded again: it reads its address, and asks for what it needs, as when somebody goes back.
        await page.evaluate(`history.pushState(null, '', '?${query.replaceAll("'", "\\'")}')`);
        await page.evaluate(`dispatchEvent(new PopStateEvent('popstate'))`);
        await page.getByRole('main').getByRole('heading', { level: 2 }).first().waitFor();
        t.equal(await page.getByRole('alert').getByText('The registry cannot be read').count(), 0, query.slice(0, 60));
        t.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${query.slice(0, 60)} fits`);
      }
    }
    for (const query of ["host='x", 'view=map&host=build%201&protocol=sctp', "view=project&project=odin&host='x"]) {
      await page.goto(`${url}?${query}`);
      await page.getByText('Live', { exact: true }).waitFor();
      await page
        .getByText(/localhost, TCP/)
        .first()
        .waitFor();
    }
    await page.goto(`${url}?view=nothing`);
    await heading(page, 'Services');
    t.equal(await page.locator('nav [aria-current="page"]').innerText(), 'Services');
    assertClean(t, visited);
  });

  t.test('with a port are links to what it serves, only where that is this machine', async (t) => {
    await request('PUT', '/v1/projects/odin/services/syslog?protocol=udp', {});
    const visited = await visitAsAdmin(t, browser, `${url}?project=odin`);
    const { page } = visited;
    const number = (row: RegExp) => page.getByRole('row', { name: row }).getByRole('link', { name: /^\d+$/ });
    t.equal(await number(/3301 query odin default/).getAttribute('href'), 'http://localhost:3301');
    t.equal(await number(/3301 query odin default/).getAttribute('rel'), 'noreferrer');
    t.equal(await number(/build-1/).count(), 0, 'another host');
    t.equal(await number(/syslog/).count(), 0, 'UDP');
    await page.goto(`${url}?view=map&port=3101`);
    t.equal(
      await page.getByRole('dialog').getByRole('link', { name: '3101', exact: true }).getAttribute('href'),
      'http://localhost:3101',
    );
    assertClean(t, visited);

    // The same page by the name of another machine, as far as the browser knows.
    const elsewhere = await visit(t, browser, 'about:blank');
    const { page: other } = elsewhere;
    await other.route('http://registry.example/**', async (route) => {
      const { pathname, search } = new URL(route.request().url());
      if (pathname === '/v1/events') return route.abort(); // a stream cannot be passed on here
      const answer = await fetch(url.slice(0, -1) + pathname + search, { headers: ADMIN });
      const contentType = answer.headers.get('content-type') ?? '';
      return route.fulfill({ status: answer.status, contentType, body: Buffer.from(await answer.arrayBuffer()) });
    });
    await other.goto('http://registry.example/?project=odin');
    await other.getByRole('row', { name: /3301 query odin default/ }).waitFor();
    t.equal(await other.locator('a.number').count(), 0);
    await other.getByRole('link', { name: 'query', exact: true }).first().click();
    await other.getByRole('heading', { name: '3301 localhost TCP' }).waitFor();
    t.equal(await other.locator('a.number').count(), 0);
    assertClean(t, elsewhere);
  });
});

/** The kinds of dialogs that the sources register. */
function kindsOfDialogs(): string[] {
  const folder = join(packageRoot, 'dashboard', 'src');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\/dialogs\.ts$/.test(name),
  );
  return files.flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(/[{,\s]'?([a-z-]+)'?: [A-Z]\w+/g)].map(
      ([, kind]) => kind ?? '',
    ),
  );
}
