// What is copied of a port works where it is pasted, and what was released can be taken back.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import t from 'tap';
import { packageRoot } from '../../src/package-root.js';
import { assertClean, hasFocus, openBrowser, visit } from '../helpers/browser.js';
import { fillRegistry, serve } from '../helpers/dashboard.js';
import { openPostgres } from '../helpers/database.js';
import { visitAsAdmin } from '../helpers/everything.js';
import { ADMIN, ADMIN_KEY, WITH_KEYS } from '../helpers/keys.js';

const CLIPBOARD = { permissions: ['clipboard-read', 'clipboard-write'] };
const run = promisify(execFile);

/** Runs a line in a shell that has what the page says it needs: the key, the address, and the command `pa`. */
async function runLine(line: string, url: string): Promise<string> {
  const pa = `pa() { "${process.execPath}" "${join(packageRoot, 'dist/bin/port-allocator.cjs')}" "$@"; }`;
  const env = { PATH: process.env.PATH, PORT_ALLOCATOR_API_KEY: ADMIN_KEY, PORT_ALLOCATOR_URL: url, HOME: '/nowhere' };
  return (await run('sh', ['-c', `${pa}\n${line}`], { env })).stdout.trim();
}

t.test('copies and undo', async (t) => {
  const browser = await openBrowser(t);
  const open = serve(t, await openPostgres(t));
  const closed = serve(t, await openPostgres(t), WITH_KEYS);

  t.test('each text that is copied of a port is of that very port', async (t) => {
    const { url, request } = await closed;
    const base = url.slice(0, -1);
    const ask = async (method: 'PUT' | 'POST', path: string, body: object) =>
      (await request(method, path, body, ADMIN)).body;
    const plain = await ask('PUT', '/v1/projects/odin/services/web-app', { serviceType: 'https' });
    const udp = await ask('PUT', '/v1/projects/odin/services/dns?environment=x&host=build-1&protocol=udp', {});
    await ask('PUT', '/v1/projects/odin/services/many', {});
    const second = await ask('POST', '/v1/projects/odin/allocations', { service: 'many' });
    const at = 'curl -fsS -X PUT -H "Authorization: Bearer $PORT_ALLOCATOR_API_KEY"';
    const look = 'curl -fsS -H "Authorization: Bearer $PORT_ALLOCATOR_API_KEY"';
    const options = '--environment x --host build-1 --protocol udp';
    const visited = await visitAsAdmin(t, browser, url, CLIPBOARD);
    const { page } = visited;
    for (const [held, name, expected] of [
      [
        plain,
        String(plain.port),
        [
          String(plain.port),
          `https://localhost:${plain.port}`,
          `WEB_APP_PORT=${plain.port}`,
          `${at} '${base}/v1/projects/odin/services/web-app'`,
          'pa port web-app --project odin --environment default',
        ],
      ],
      [
        udp,
        `build-1:${udp.port}/udp`,
        [
          String(udp.port),
          null,
          `DNS_PORT=${udp.port}`,
          `${at} '${base}/v1/projects/odin/services/dns?environment=x&host=build-1&protocol=udp'`,
          `pa port dns --project odin ${options}`,
        ],
      ],
      [
        second,
        String(second.port),
        [
          String(second.port),
          `http://localhost:${second.port}`,
          `MANY_PORT=${second.port}`,
          `${look} '${base}/v1/allocations/${second.id}'`,
          null,
        ],
      ],
    ] as const) {
      await page.goto(`${url}?port=${encodeURIComponent(name)}`);
      await page.getByRole('region', { name: 'Copy' }).waitFor();
      const copied = await copyAll(page);
      t.same(copied, expected, name);
      const [, , dotenv, curl, pa] = copied;
      const answered = JSON.parse(await runLine(curl as string, base));
      t.match(answered, { id: held.id, port: held.port }, `${curl} answers with the port`);
      if (pa) t.equal(await runLine(pa, base), String(held.port), pa);
      t.equal(await runLine(`${dotenv}; echo $${dotenv?.replace(/=.*/, '')}`, base), String(held.port));
    }
    assertClean(t, visited);
  });

  t.test('what cannot be copied says so, and nothing is lost', async (t) => {
    const { url, request } = await open;
    await fillRegistry(request);
    const visited = await visit(t, browser, 'about:blank');
    const { page } = visited;
    // As over HTTP on another host, where browsers have no clipboard, and by a browser that refuses the old way.
    await page.addInitScript('delete Navigator.prototype.clipboard; document.execCommand = () => globalThis.isAllowed');
    await page.goto(`${url}?port=3101`);
    const button = page.getByRole('button', { name: 'Copy the number' });
    await button.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('status').getByText('the number not copied').waitFor();
    t.equal(await button.innerText(), 'Not copied');
    t.equal(await hasFocus(button), true);
    await page.evaluate('globalThis.isAllowed = true');
    await page.keyboard.press('Enter');
    await page.getByRole('status').getByText('the number copied').waitFor();
    t.equal(await button.innerText(), 'Copied');
    t.equal(await page.locator('textarea').count(), 0);
    t.equal(await hasFocus(button), true);
    assertClean(t, visited);
  });

  t.test('undo gives the same port again, with all that was known of it', async (t) => {
    const { url, request } = await open;
    const details = { serviceType: 'http', description: 'The site', metadata: { team: 'core' } };
    const { id, port } = (await request('PUT', '/v1/projects/odin/services/site', details)).body;
    const visited = await visit(t, browser, `${url}?view=map&dialog=release:${id}&port=${port}`);
    const { page } = visited;
    await page.getByRole('button', { name: `Release ${port}` }).click();
    await page.locator('.notice').getByText(`Port ${port} was released.`).waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.locator('.notice').getByText(`Port ${port} is held again.`).waitFor();
    const { allocation } = (await request('GET', `/v1/ports/${port}`)).body;
    t.match(allocation, { service: 'site', ...details });
    t.not(allocation.id, id);
    assertClean(t, visited);
  });

  t.test('undo says who has the port where it is not free any more', async (t) => {
    const { url, request } = await open;
    await request('PATCH', '/v1/ranges/3100', { reuseCooldownSeconds: 0 }); // else nobody else is given it so soon
    const { id, port } = (await request('PUT', '/v1/projects/consilio/services/loser', {})).body;
    const visited = await visit(t, browser, `${url}?view=map&dialog=release:${id}`);
    const { page } = visited;
    const notice = page.locator('.notice');
    await page.getByRole('button', { name: `Release ${port}` }).click();
    await notice.getByText(`Port ${port} was released.`).waitFor();
    t.equal((await request('POST', '/v1/projects/consilio/allocations', { service: 'winner', port })).status, 201);
    await page.getByRole('button', { name: 'Undo' }).click();
    await notice.getByText(`Port ${port} was not taken back. The number is taken: consilio/winner holds it.`).waitFor();
    t.equal(await notice.getByRole('button', { name: 'Undo' }).count(), 0);
    await notice.getByRole('button', { name: 'Dismiss' }).click();
    t.equal(await notice.innerText(), '');
    assertClean(t, visited);
  });

  t.test('undo can be pressed where the details cover the page, and is told after the dialog is closed', async (t) => {
    const { url, request } = await open;
    const { port } = (await request('PUT', '/v1/projects/odin/services/narrow', {})).body;
    const visited = await visit(t, browser, `${url}?view=map&port=${port}`, { viewport: { width: 360, height: 740 } });
    const { page } = visited;
    await page.locator('.details:modal').getByRole('button', { name: 'Release' }).click();
    await page.evaluate(WATCH_NOTICES);
    await page.getByRole('button', { name: `Release ${port}` }).click();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.locator('.notice').getByText(`Port ${port} is held again.`).waitFor();
    t.same(await page.evaluate('noticedIn'), ['details', 'details'], 'never while the question was still open');
    await page.getByRole('button', { name: 'Dismiss' }).click();
    assertClean(t, visited);
  });
});

/** Presses each button of the details that copies, and returns what is on the clipboard then. */
async function copyAll(page: Page): Promise<(string | null)[]> {
  const texts: (string | null)[] = [];
  for (const label of ['the number', 'the URL', 'the .env line', 'the curl line', 'the pa line']) {
    const button = page.getByRole('dialog').getByRole('button', { name: `Copy ${label}`, exact: true });
    if ((await button.count()) === 0) {
      texts.push(null);
      continue;
    }
    await button.click();
    await page.getByRole('status').getByText(`${label} copied`).waitFor();
    texts.push(await page.evaluate<string>('navigator.clipboard.readText()'));
  }
  return texts;
}

/** Notes in which dialog each notice came, and whether another one was open above it. */
const WATCH_NOTICES = `
  globalThis.noticedIn = [];
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) {
      if (addedNodes.length === 0 || !target.matches?.('.notice')) continue;
      const isOpen = document.querySelector('dialog.modal[open]') !== null;
      noticedIn.push(isOpen ? 'question' : (target.closest('dialog')?.className ?? 'page'));
    }
  }).observe(document.body, { childList: true, subtree: true });`;
