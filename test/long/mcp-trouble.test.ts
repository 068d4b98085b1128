// What an agent over stdio reads where the service cannot be used: the same as a person who calls the command.
import { once } from 'node:events';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { DO_NOT_CHOOSE } from '../../src/client/bridge/trouble.js';
import { lockDataDir } from '../../src/embedded/data-dir-lock.js';
import { announce } from '../../src/embedded/holder.js';
import { endServiceAtEnd, PATH } from '../helpers/agents.js';
import { callCli } from '../helpers/cli.js';
import { makeDataDir, makeSeededDir } from '../helpers/database.js';
import { WITH_KEYS } from '../helpers/keys.js';
import { clients, closeAtEnd, type McpClient } from '../helpers/mcp.js';
import { serveApp } from '../helpers/served.js';

type Variables = Record<string, string>;

const NOT_IN_TIME = 'The service has not answered within 8 s. It may still be starting';
const CALL = { name: 'get-port', arguments: { project: 'odin', service: 'web' } };

async function serve(t: Test, listener: RequestListener): Promise<Variables> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { PORT_ALLOCATOR_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** What a client is told when it connects. */
const instructionsOf = (client: McpClient) => (client as McpClient & { getInstructions(): string }).getInstructions();

const answering = (status: number, type: string, body: string) => (t: Test) =>
  serve(t, (_request, response) => response.writeHead(status, { 'content-type': type }).end(body));

const troubles: [what: string, told: RegExp, make: (t: Test) => Promise<Variables> | Variables][] = [
  ['nobody listens', /^Nobody listens on 127\.0\.0\.1:1 /, () => ({ PORT_ALLOCATOR_URL: 'http://127.0.0.1:1' })],
  ['a name that leads nowhere', / ports\.invalid/, () => ({ PORT_ALLOCATOR_URL: 'http://ports.invalid' })],
  [
    'a page of another server',
    / is no Port Allocator, .* \(text\/html\)\./,
    answering(200, 'text/html', '<p>Hello</p>'),
  ],
  ['a proxy without the service', /\(text\/html, Bad Gateway\)/, answering(502, 'text/html', '<p>502</p>')],
  [
    'the JSON of another server',
    /\(application\/json, Not Found\)/,
    answering(404, 'application/json', '{"error":404}'),
  ],
  ['an address that is none', / is no address of a service/, () => ({ PORT_ALLOCATOR_URL: 'localhost:8080' })],
  ['a key that is none', /^PORT_ALLOCATOR_API_KEY has a character/, () => ({ PORT_ALLOCATOR_API_KEY: 'a b' })],
  ['a relative data folder', /is no absolute path/, () => ({ PORT_ALLOCATOR_DATA_DIR: 'data' })],
  ['no key', /^This needs a key\./, async (t) => (await serveApp(t, WITH_KEYS)).variables],
  [
    'a wrong key',
    /^The key that was sent is not valid here\./,
    async (t) => ({ ...(await serveApp(t, WITH_KEYS)).variables, PORT_ALLOCATOR_API_KEY: 'pa_wrong' }),
  ],
  [
    'a data folder that cannot be made',
    /ENOTDIR.* Set it to a folder that this user may write/,
    async (t) => {
      const file = join(await makeDataDir(t), 'file');
      await writeFile(file, '');
      return { PORT_ALLOCATOR_DATA_DIR: join(file, 'data') };
    },
  ],
  [
    'a data folder that is open to others',
    /is open to other users.* set PORT_ALLOCATOR_DATA_DIR to an empty folder/,
    async (t) => {
      const folder = await makeDataDir(t);
      await writeFile(join(folder, 'notes'), '');
      await chmod(folder, 0o755);
      return { PORT_ALLOCATOR_DATA_DIR: folder };
    },
  ],
  [
    'a database that cannot be opened',
    /cannot be opened: .* restore a backup/,
    async (t) => {
      const folder = await makeDataDir(t);
      await writeFile(join(folder, 'database'), '');
      return { PORT_ALLOCATOR_DATA_DIR: folder };
    },
  ],
  [
    'a service of the data folder that cannot be reached from here',
    /cannot be reached from here .* PORT_ALLOCATOR_URL/,
    async (t) => {
      const folder = await makeSeededDir(t);
      const lock = await lockDataDir(folder);
      t.teardown(() => lock.release());
      await announce(folder, { mode: 'foreground', url: 'http://127.0.0.1:8080', path: join(folder, 'socket') });
      return { PORT_ALLOCATOR_DATA_DIR: folder };
    },
  ],
];

for (const [what, told, make] of troubles) {
  t.test(`${what}: an agent reads what the command prints`, async (t) => {
    const variables = await make(t);
    const { stderr, code } = await callCli(['port', 'web', '--project', 'odin'], { variables });
    t.not(code, 0);
    const expected = stderr.trim().replaceAll('\n', ' ');
    t.match(expected, told);
    t.notMatch(expected, /\bHTTP\b|\b[45]\d\d\b| DATA_DIR/);
    // Each attempt to start a service takes seconds on a busy machine, and then the first answers may come before its end.
    const isStarted = 'PORT_ALLOCATOR_DATA_DIR' in variables;
    const says = (text: string) => text.includes(expected) || (isStarted && text.includes(NOT_IN_TIME));
    for (const { name, overStdio } of isStarted ? clients.slice(0, 1) : clients) {
      const client = await closeAtEnd(t, overStdio({ ...variables, PATH }));
      const instructions = instructionsOf(client);
      t.ok(says(instructions), `${name}: ${instructions}`);
      const { tools } = await client.listTools();
      t.same([tools.length, tools[0].name], [1, 'get-port']);
      t.ok(says(tools[0].description), tools[0].description);
      const { isError, content } = await client.callTool(CALL);
      t.ok(isError);
      const text = content[0].text.replace(/^unauthorized: /, '').replace(` ${DO_NOT_CHOOSE}`, '');
      t.equal(text, expected, name);
      await client.close();
    }
  });
}

t.test('a call works as soon as the cause is gone', async (t) => {
  const file = join(await makeDataDir(t), 'file');
  await writeFile(file, '');
  const dataDir = join(file, 'data');
  endServiceAtEnd(t, dataDir);
  const [{ overStdio }] = clients as [(typeof clients)[0]];
  const client = await closeAtEnd(t, overStdio({ PORT_ALLOCATOR_DATA_DIR: dataDir, PATH }));
  t.match(await client.callTool(CALL), { isError: true });
  await rm(file);
  t.match(await client.callTool(CALL), { structuredContent: { port: 3300 } });
  t.ok((await client.listTools()).tools.length > 9);
});

t.test('a client that begins while the service does not answer is told so before it gives up', async (t) => {
  const variables = await serve(t, () => {});
  const begun = performance.now();
  const [client] = await Promise.all(clients.map((one) => closeAtEnd(t, one.overStdio({ ...variables, PATH }))));
  const ms = performance.now() - begun;
  t.ok(ms > 7000 && ms < 30_000, `${ms} ms`);
  const { tools } = await (client as McpClient).listTools();
  t.match(tools, [{ description: NOT_IN_TIME }]);
});

t.test('a client that begins while the service says that it is busy is told what the service says', async (t) => {
  const problem = { status: 503, code: 'database-unavailable', detail: 'The database cannot be reached.' };
  const headers = { 'content-type': 'application/problem+json', 'retry-after': '1' };
  const variables = await serve(t, (_request, response) => {
    response.writeHead(503, headers).end(JSON.stringify(problem));
  });
  const opened = await Promise.all(clients.map((one) => closeAtEnd(t, one.overStdio({ ...variables, PATH }))));
  for (const client of opened) t.match(instructionsOf(client), / now: The database cannot be reached\. /);
});
