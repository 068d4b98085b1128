// What the bridge tells of the folder of an agent, and where neither a folder is read nor a client is asked.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { makeApp, requester } from '../../helpers/app.js';
import { type Message, openBridge } from '../../helpers/bridge.js';
import { openPostgres } from '../../helpers/database.js';
import { git, makeFolder, makeRepository } from '../../helpers/git.js';

const app = await makeApp(t, await openPostgres(t));
const url = await app.listen({ host: '127.0.0.1', port: 0 });
const textOf = ({ result }: Message): string => result.content[0].text;

/** A bridge of a client that has one root, and tells it each time that it is asked. */
function open(root: string | null, variables: { project?: string; environment?: string } = {}) {
  const { send, next, finish } = openBridge(url, variables);
  let asked = 0;
  send({ id: 'first', method: 'initialize', params: { capabilities: root === null ? {} : { roots: {} } } });
  return {
    asked: () => asked,
    finish,
    async tell(name: string, input: object): Promise<string> {
      send({ id: name, method: 'tools/call', params: { name, arguments: input } });
      for (;;) {
        const message = await next();
        if (message.id === name) return textOf(message);
        if (message.method !== 'roots/list') continue;
        asked += 1;
        send({ id: message.id, result: { roots: [{ uri: pathToFileURL(root as string).href }] } });
      }
    },
  };
}

/** The same call without a bridge. */
async function tellOverHttp(name: string, input: object): Promise<string> {
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } };
  const accept = { accept: 'application/json, text/event-stream' };
  const { text } = await requester(app)('POST', '/mcp', message, accept);
  return textOf(JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? text));
}

function makeWorktree(t: Test): string {
  const main = makeRepository(t, 'cart');
  const linked = join(main, '..', 'cart-checkout');
  git(main, 'worktree', 'add', '--quiet', '-b', 'feature/checkout', linked);
  return linked;
}

t.test('an agent that names the project of its root gets ports of its worktree', async (t) => {
  const worktree = makeWorktree(t);
  const { tell } = open(worktree);
  const input = { project: 'cart', service: 'web', createProject: true };
  t.match(await tell('get-port', input), /^web of cart \(environment cart-checkout\): /);
  t.match(await tell('get-port', { ...input, environment: 'default' }), /^web of cart \(environment default\): /);
  t.match(await tell('get-port', { project: 'odin', service: 'web' }), /^web of odin \(environment default\): /);
  const byVariable = open(worktree, { project: 'odin' });
  t.match(
    await byVariable.tell('get-port', { ...input, project: 'odin' }),
    /^web of odin \(environment cart-checkout\)/,
  );
  t.match(await byVariable.tell('get-port', input), /^web of cart \(environment default\): /);
});

t.test('the environment that a variable names counts for every project, unless the agent names one', async (t) => {
  for (const { tell } of [open(null, { environment: 'ci' }), open(null, { project: 'odin', environment: 'ci' })]) {
    t.match(await tell('get-port', { project: 'odin', service: 'web' }), /^web of odin \(environment ci\): /);
    t.match(await tell('get-port', { project: 'consilio', service: 'web' }), /^web of consilio \(environment ci\): /);
    const named = { project: 'odin', environment: 'default', service: 'web' };
    t.match(await tell('get-port', named), /^web of odin \(environment default\): /);
  }
});

t.test('a client is not asked for its root where names say all', async (t) => {
  const folder = makeFolder(t, 'bag');
  writeFileSync(join(folder, 'ports.yaml'), 'services: { web: {}, api: {} }\n');
  const { tell, asked } = open(folder, { project: 'odin', environment: 'ci' });
  t.match(await tell('get-port', { service: 'web' }), /^web of odin \(environment ci\): /);
  t.match(await tell('get-environment-ports', { services: ['web'] }), /^odin \(environment ci\):\nWEB_PORT=/);
  t.equal(asked(), 0);
  t.match(await tell('get-environment-ports', {}), /^odin \(environment ci\):\nWEB_PORT=\d+\nAPI_PORT=/);
  t.equal(asked(), 1);
});

t.test('a folder that is gone matters only to a call that leaves something open', async (t) => {
  const worktree = makeWorktree(t);
  const { tell } = open(null);
  const place = { project: 'cart', environment: 'cart-checkout', cwd: worktree };
  rmSync(worktree, { recursive: true });
  for (const told of [tell, tellOverHttp]) {
    t.match(await told('get-environment-ports', { ...place, services: ['web'], createProject: true }), /\nWEB_PORT=/);
    t.match(await told('get-port', { ...place, service: 'api' }), /^api of cart \(environment cart-checkout\): /);
    t.match(await told('list-ports', place), /web of cart .*\n.*api of cart /);
    t.match(await told('port-summary', { project: 'cart', cwd: worktree }), /^cart: /);
    t.match(await told('release-environment', place), /^Released \d+ \(.*\) of environment cart-checkout of cart\./);
  }
  for (const [name, input] of [
    ['get-port', { project: 'cart', cwd: worktree, service: 'web' }],
    ['get-port', { cwd: worktree, service: 'web' }],
    ['get-environment-ports', place],
    ['port-summary', { cwd: worktree }],
  ] as const) {
    t.match(await tell(name, input), /^validation-failed: \/cwd is no folder to go by: There is no folder /);
  }
});

t.test('a folder that cannot be used is told over stdio as over HTTP', async (t) => {
  const folder = makeFolder(t, 'faulty');
  writeFileSync(join(folder, 'ports.yaml'), 'servcies: {}\nprojekt: shop\n');
  const { tell } = open(null);
  for (const cwd of [folder, '/no/such/folder', '/', 'web', `/${'深'.repeat(500)}`]) {
    const told = await tell('get-port', { service: 'web', cwd });
    t.match(told, /^validation-failed: \/cwd .*\nNext: correct what is named and call again\.$/);
    t.equal(told, await tellOverHttp('get-port', { service: 'web', cwd }));
  }
  t.match(
    await tell('get-port', { service: 'web', cwd: `/${'深'.repeat(4000)}` }),
    /^validation-failed: \/cwd .*深… Name .*\nNext: /,
  );
});
