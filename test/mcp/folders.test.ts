// The folder that an agent works in tells project and environment, by the rules of the command.
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { git, makeFolder, makeRepository } from '../helpers/git.js';
import { WITH_KEYS } from '../helpers/keys.js';
import { asking, clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

async function open(t: Test, variables: Record<string, string> = {}) {
  const app = await makeApp(t, await openPostgres(t), variables);
  const [{ overHttp }] = clients as [(typeof clients)[number]];
  const client = await closeAtEnd(t, overHttp(await listenMcp(app)));
  return { ...asking(client), request: requester(app) };
}

/** A repository and a linked working tree of it. */
function makeWorktree(t: Test) {
  const main = makeRepository(t, 'cart');
  const linked = join(main, '..', 'cart-checkout');
  git(main, 'worktree', 'add', '--quiet', '-b', 'feature/checkout', linked);
  return { main, linked };
}

t.test('a project that is new is created by its folder, and a worktree has ports of its own', async (t) => {
  const { ask, tell } = await open(t);
  const { main, linked } = makeWorktree(t);
  t.match(await ask('get-port', { service: 'web', cwd: main }), {
    project: 'cart',
    environment: 'default',
    port: 3600,
  });
  t.match(await ask('get-port', { service: 'web', cwd: linked }), { environment: 'cart-checkout', port: 3601 });
  t.equal(await tell('get-port', { service: 'web', cwd: linked }), 'web of cart (environment cart-checkout): 3601');
  t.match(await ask('list-ports', { cwd: linked }), { items: [{ port: 3601 }] });
  t.match(await ask('port-summary', { cwd: linked }), { project: 'cart', allocatedPorts: 2 });
  t.match(
    await tell('release-environment', { cwd: linked }),
    /^Released 3601 \(web\) of environment cart-checkout of cart/,
  );
  t.equal(await tell('release-environment', { cwd: linked }), 'Nothing is held for environment cart-checkout of cart.');
  t.match(
    await tell('release-environment', { project: 'cart' }),
    /\/environment is required, or cwd: nothing is released/,
  );
});

t.test('a second clone has an environment of its own, in every tool', async (t) => {
  const { ask, tell, request } = await open(t);
  const first = makeRepository(t, 'cart');
  const second = makeRepository(t, 'cart');
  t.equal((await ask('get-port', { service: 'web', cwd: first })).port, 3600);
  const { environment, port } = await ask('get-port', { service: 'web', cwd: second });
  t.match(environment, /^default-[a-z0-9]{4}$/);
  t.equal(port, 3601);
  t.match(await ask('allocate-port', { service: 'web', cwd: second }), { environment, port: 3602 });
  t.match(await ask('list-ports', { cwd: second }), { items: [{ environment }, { environment }] });
  t.match(await tell('release-port', { service: 'web', cwd: second }), /^Released 3601 .*\nReleased 3602 /);
  t.match(await ask('list-ports', { project: 'cart' }), { items: [{ port: 3600 }] });
  const { body } = await request('GET', '/v1/environments?project=cart');
  t.match(body.items, [{ environment: 'default', path: first }]);
});

t.test('a folder does not hide what another project holds', async (t) => {
  const { ask } = await open(t);
  const { linked } = makeWorktree(t);
  await ask('get-port', { project: 'odin', service: 'api' });
  t.match(await ask('list-ports', { project: 'odin', service: 'api', cwd: linked }), { items: [{ port: 3300 }] });
});

t.test('what is named counts before the folder, and any name of a branch will do', async (t) => {
  const { ask, tell } = await open(t);
  const folder = makeRepository(t, 'cart');
  t.match(await ask('get-port', { project: 'odin', service: 'web', cwd: folder }), { project: 'odin', port: 3300 });
  const { environment } = await ask('get-port', { project: 'odin', service: 'web', environment: 'Feature/Cart' });
  t.match(environment, /^feature-cart-[a-z0-9]{4}$/);
  t.match(await ask('list-ports', { project: 'odin', environment: 'Feature/Cart' }), { items: [{ environment }] });
  t.match(await tell('get-port', { project: 'cart', service: 'web', cwd: folder }), /^project-not-found: /);
  t.match(await ask('get-port', { project: 'cart', service: 'web', cwd: folder, createProject: true }), {
    project: 'cart',
    environment: 'default',
  });
});

t.test('the services of a whole stack are those of ports.yaml, if none are named', async (t) => {
  const { tell } = await open(t);
  const folder = makeFolder(t, 'bag');
  t.match(await tell('get-environment-ports', { cwd: folder }), /\/services is required, because no ports\.yaml/);
  writeFileSync(join(folder, 'ports.yaml'), 'project: bag\nservices: { web: {}, api: {} }\n');
  t.equal(
    await tell('get-environment-ports', { cwd: folder }),
    'bag (environment default):\nWEB_PORT=3600\nAPI_PORT=3601',
  );
  for (const [tool, input] of [
    ['get-port', { service: 'apii' }],
    ['allocate-port', { service: 'apii' }],
    ['get-environment-ports', { services: ['web', 'apii'] }],
  ] as const) {
    t.match(
      await tell(tool, { ...input, cwd: folder }),
      /^validation-failed: \/services? is not one of ports\.yaml \(web, api\): apii\. Did you mean api\? Name one of/,
      tool,
    );
  }
  t.match(await tell('get-port', { project: 'odin', service: 'apii', cwd: folder }), /^apii of odin .*: 3300$/);
  writeFileSync(join(folder, 'ports.yaml'), 'project: bag\nservice: {}\n');
  t.match(await tell('get-port', { service: 'web', cwd: folder }), /^validation-failed: \/cwd .*ports\.yaml:2:1: /);
});

t.test('a folder of which nothing can be said is refused', async (t) => {
  const { tell } = await open(t);
  for (const [cwd, expected] of [
    ['web', /\/cwd /],
    ['/no/such/folder', /There is no folder \/no\/such\/folder that can be read\. Name one that is there/],
  ] as const) {
    t.match(await tell('get-port', { service: 'web', cwd }), expected, cwd);
  }
  t.match(await tell('get-port', { service: 'web' }), /\/project is required, or cwd: the absolute path of the folder/);
});

t.test('agents that ask at once for a project that is not there make one range', async (t) => {
  const { ask } = await open(t);
  const folder = makeRepository(t, 'race');
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, i) => ask('get-port', { service: `s${i % 4}`, cwd: folder })),
  );
  t.equal(new Set(answers.map(({ port }) => port)).size, 4);
  t.equal((await ask('port-summary', { project: basename(folder) })).ranges.length, 1);
});

t.test('a service that may be on another machine reads no folder', async (t) => {
  const folder = makeRepository(t, 'cart');
  for (const variables of [WITH_KEYS, { ALLOW_UNAUTHENTICATED: 'true' }]) {
    const app = requester(await makeApp(t, await openPostgres(t), variables));
    const params = { name: 'get-port', arguments: { service: 'web', cwd: folder } };
    const { text } = await app(
      'POST',
      '/mcp',
      { jsonrpc: '2.0', id: 1, method: 'tools/call', params },
      {
        accept: 'application/json, text/event-stream',
        ...('ADMIN_API_KEY' in variables && { authorization: `Bearer ${variables.ADMIN_API_KEY}` }),
      },
    );
    t.match(text, /\/cwd cannot be read from here, because the service may be on another machine/);
  }
});
