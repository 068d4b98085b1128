import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { Test } from 'tap';
import type { requester } from './app.js';
import { type Visit, visit } from './browser.js';
import { CLOUDFLARE, startCloudflare } from './cloudflare/api.js';
import { fillRegistry, runServices, serve } from './dashboard.js';
import { openPostgres } from './database.js';
import { ADMIN, ADMIN_KEY, makeKey, WITH_KEYS } from './keys.js';

/** A view: what its address has behind `/`, and its heading. */
export type ViewPlace = [query: string, heading: string | RegExp];
/** A dialog by its kind: what it is about, and its title. */
export type DialogPlaces = Record<string, [about: string, title: string]>;

/** A service with keys in force and something of everything, so that there is something on each view and in each dialog. */
export async function serveEverything(t: Test) {
  const cloudflare = await startCloudflare(t);
  const variables = { ...WITH_KEYS, ...CLOUDFLARE };
  const { url, request: send } = await serve(t, await openPostgres(t), variables, { cloudflareUrl: cloudflare.url });
  const request: ReturnType<typeof requester> = (method, path, body, headers = {}) =>
    send(method, path, body, { ...ADMIN, ...headers });
  await fillRegistry(request);
  await runServices(t, request);
  await request('PUT', '/v1/projects/odin/environments/feature-x', {
    services: [{ service: 'query' }],
    path: '/home/kim/odin-x',
    expiresAfterSeconds: 86_400,
  });
  await request('PUT', '/v1/excluded-ports/3155', { reason: 'Our VPN client listens there' });
  const webhook = (
    await request('POST', '/v1/webhooks', { url: 'http://localhost:9/hook', description: 'To the chat' })
  ).body.id;
  const { id: key } = await makeKey(send, 'reader');
  const audit = (await request('POST', '/v1/audits', { unallocated: true })).body.id;
  const held = (await request('GET', '/v1/allocations?port=3101')).body.items[0].id;
  const reservation = (await request('GET', '/v1/reservations?project=odin')).body.items[0].id;

  const views: ViewPlace[] = [
    ['', 'Services'],
    ['?view=map', 'Map'],
    ['?view=projects', 'Projects'],
    ['?view=project&project=odin', 'odin'],
    ['?view=environments', 'Environments'],
    ['?view=reservations', 'Reservations'],
    ['?view=findings', 'Findings'],
    ['?view=audits', 'Audits'],
    [`?view=audits&audit=${audit}`, /^Audit of/],
    ['?view=activity', 'Activity'],
    ['?view=moment', 'What was held at a moment'],
    ['?view=moment&show=released', 'What was released'],
    ['?view=import', 'Import'],
    ['?view=exports&project=odin&host=localhost&environment=default', 'Exports'],
    ['?view=excluded', 'Excluded ports'],
    ['?view=keys', 'Keys'],
    ['?view=webhooks', 'Webhooks'],
    [`?view=webhooks&webhook=${webhook}`, 'Webhook'],
    ['?view=cloudflare&plan=shown', 'Cloudflare'],
  ];
  const dialogs: DialogPlaces = {
    get: ['', 'Get a port'],
    reserve: ['odin/3342', 'Reserve port 3342'],
    describe: [held, 'Describe port 3101'],
    release: [held, 'Release port 3101?'],
    claim: [reservation, 'Claim port 3320'],
    renew: [reservation, 'Renew the reservation of port 3320'],
    cancel: [reservation, 'Cancel the reservation of port 3320?'],
    'release-selected': ['', 'Nothing is selected'],
    'describe-selected': ['', 'Nothing is selected'],
    'new-project': ['', 'New project'],
    'new-range': ['odin', 'Add a range'],
    'change-range': ['3300', 'Range 3300–3399'],
    'delete-range': ['3300', 'Delete the range 3300–3399?'],
    'get-stack': ['consilio/staging', 'Get a stack'],
    'expire-environment': ['odin/feature-x', 'When odin/feature-x expires'],
    'release-environment': ['consilio/staging', 'Release all of consilio/staging?'],
    adopt: ['3190', 'Allocate 3190 to what listens there'],
    'release-found': ['3104,3109', 'Release 2 ports?'],
    'exclude-found': ['3190', 'Exclude 1 port'],
    exclude: ['3155', 'Why port 3155 is excluded'],
    'stop-excluding': ['3155', 'Stop excluding port 3155?'],
    'new-key': ['', 'New key'],
    'revoke-key': [key, 'Revoke this key?'],
    'new-webhook': ['', 'New webhook'],
    'change-webhook': [webhook, 'Change the webhook'],
    'switch-off-webhook': [webhook, 'Switch the webhook off?'],
    'delete-webhook': [webhook, 'Delete the webhook?'],
    'apply-cloudflare': ['', 'Apply the plan?'],
  };
  return { url, request, views, dialogs };
}

/** Opens the page with the key of an administrator, as if it had been entered in this tab. */
export async function visitAsAdmin(t: Test, browser: Browser, url: string, options: BrowserContextOptions = {}) {
  const visited: Visit = await visit(t, browser, 'about:blank', options);
  await visited.page.addInitScript(`sessionStorage.setItem('port-allocator-key', '${ADMIN_KEY}')`);
  await visited.page.goto(url);
  return visited;
}

/** Opens a dialog as an address does, and does not load the page again for it. */
export async function openDialog(page: Page, kind: string, about: string): Promise<void> {
  await page.evaluate(SHOW(about === '' ? kind : `${kind}:${about}`));
}

const SHOW = (dialog: string) => `(() => {
  const address = new URL(location.href);
  address.searchParams.set('dialog', ${JSON.stringify(dialog)});
  history.replaceState(null, '', address);
  dispatchEvent(new PopStateEvent('popstate'));
})()`;
