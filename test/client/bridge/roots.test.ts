// Which folder a client works in is asked of it where an agent does not say.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import t, { type Test } from 'tap';
import { Bridge } from '../../../src/client/bridge/bridge.js';
import { connect } from '../../../src/client/connection.js';
import { makeApp } from '../../helpers/app.js';
import { openPostgres } from '../../helpers/database.js';
import { makeFolder, makeRepository } from '../../helpers/git.js';
import { asking, BRIDGE, closeAtEnd, type McpClient } from '../../helpers/mcp.js';

// biome-ignore lint/suspicious/noExplicitAny: a test asserts what a message holds, field by field
type Message = any;

const WHICH = /^validation-failed: \/project is required, or cwd: the absolute path of the folder that you work in/;
const url = await (await makeApp(t, await openPostgres(t))).listen({ host: '127.0.0.1', port: 0 });
const uriOf = (folder: string) => pathToFileURL(folder).href;

t.test('the official client', async (t) => {
  let roots: { uri: string }[] = [];
  const client = new Client({ name: 'test', version: '1' }, { capabilities: { roots: { listChanged: true } } });
  let asked = 0;
  client.setRequestHandler(ListRootsRequestSchema, async () => {
    asked += 1;
    return { roots };
  });
  const variables = { PORT_ALLOCATOR_URL: url, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [BRIDGE], env: variables }));
  const { ask, tell } = asking(await closeAtEnd(t, Promise.resolve(client as unknown as McpClient)));
  const change = async (...folders: string[]) => {
    roots = folders.map((folder) => ({ uri: folder.includes(':') ? folder : uriOf(folder) }));
    await client.sendRootsListChanged();
  };
  const shop = makeRepository(t, 'shop of 100 % Größe');
  const cart = makeRepository(t, 'cart');

  await change(cart);
  const answers = await Promise.all(['web', 'api', 'web'].map((service) => ask('get-port', { service })));
  t.match(answers, [{ project: 'cart', environment: 'default' }, { project: 'cart' }, answers[0]]);
  t.equal(asked, 1, 'several calls at once ask once');
  await change(shop);
  t.match((await ask('get-port', { service: 'web' })).project, /^shop-of-100-gr-e-[a-z0-9]{4}$/);
  t.match(await ask('get-port', { service: 'web', cwd: cart }), { project: 'cart' }, 'what is named counts first');
  t.match(await ask('port-summary', { project: 'cart' }), { project: 'cart' });
  t.equal(asked, 2);
  for (const [what, ...given] of [
    ['none'],
    ['two', cart, shop],
    ['another scheme', 'https://example.com/cart'],
    ['another host', 'file://example.com/srv/cart'],
    ['a separator that is encoded', 'file:///srv%2Fcart'],
    ['broken encoding', 'file:///srv/%zz'],
    ['no URI', 'file:'],
    ['a folder that is not there', '/no/such/folder'],
  ] as [string, ...string[]][]) {
    await change(...given);
    t.match(await tell('get-port', { service: 'web' }), WHICH, what);
    t.match(await tell('describe-port', { port: 3600 }), /^3600: /, `${what}: a call that needs no folder`);
  }
});

/** A bridge whose client sends what the test says. */
function open(
  t: Test,
  named: { project: string | null; environment: string | null } = { project: null, environment: null },
) {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const connection = connect({ url, apiKey: null, dataDir: '', ...named });
  const ended = new Bridge(connection, output, named).run(input);
  const lines: Message[] = [];
  output.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n')) if (line !== '') lines.push(JSON.parse(line));
  });
  const send = (message: object) => input.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  t.teardown(() => input.end());
  const find = async (is: (message: Message) => boolean): Promise<Message> => {
    for (;;) {
      const index = lines.findIndex(is);
      if (index >= 0) return lines.splice(index, 1)[0];
      await sleep(5);
    }
  };
  send({ id: 'first', method: 'initialize', params: { capabilities: { roots: {} } } });
  return {
    send,
    lines,
    call(id: unknown, input: object) {
      send({ id, method: 'tools/call', params: { name: 'get-port', arguments: input } });
    },
    nextQuestion: () => find(({ method }) => method === 'roots/list'),
    answerTo: async (id: unknown) => (await find((message) => message.id === id)).result.content[0].text as string,
    async end() {
      input.end();
      await ended;
    },
  };
}

t.test('a client that answers late is waited for once, and its answer counts from then on', async (t) => {
  const { call, send, nextQuestion, answerTo, lines } = open(t);
  const bag = makeRepository(t, 'bag');
  const begun = performance.now();
  call(1, { service: 'web' });
  const { id } = await nextQuestion();
  send({ id: 1, result: { roots: [{ uri: uriOf(bag) }] } }); // the id of its own request is not that of the question
  t.match(await answerTo(1), WHICH);
  t.ok(performance.now() - begun >= 1900);
  const later = performance.now();
  call(2, { service: 'web' });
  t.match(await answerTo(2), WHICH);
  t.ok(performance.now() - later < 1500, 'nobody waits a second time');
  send({ id, result: { roots: [{ uri: uriOf(bag) }] } });
  send({ id, result: { roots: [] } });
  call(3, { service: 'web' });
  t.match(await answerTo(3), /^web of bag \(environment default\): /);
  t.notOk(lines.some(({ method }) => method === 'roots/list'));
});

t.test('a client that refuses is asked again, and what is no list of roots is none', async (t) => {
  const { call, send, nextQuestion, answerTo } = open(t);
  for (const [i, answer] of [
    { error: { code: -32601, message: 'Method not found' } },
    { result: null },
    { result: { roots: { uri: 'file:///srv' } } },
  ].entries()) {
    call(i, { service: 'web' });
    const { id } = await nextQuestion();
    send({ id, ...answer });
    t.match(await answerTo(i), WHICH, JSON.stringify(answer));
  }
  for (const [i, roots] of [[null], [{}], [{ uri: 5 }], ['file:///srv']].entries()) {
    send({ method: 'notifications/roots/list_changed' });
    call(`r${i}`, { service: 'web' });
    const { id } = await nextQuestion();
    send({ id, result: { roots } });
    t.match(await answerTo(`r${i}`), WHICH, JSON.stringify(roots));
  }
});

t.test('a client that has gone is not waited for', async (t) => {
  const { call, nextQuestion, end, lines } = open(t);
  call(1, { service: 'web' });
  await nextQuestion();
  const begun = performance.now();
  await end();
  t.ok(performance.now() - begun < 1500);
  t.match(lines.find(({ id }) => id === 1).result.content[0].text, WHICH);
});

t.test('what variables name counts before the root', async (t) => {
  const { call, send, nextQuestion, answerTo } = open(t, { project: 'odin', environment: null });
  call(1, { service: 'web' });
  const { id } = await nextQuestion();
  send({ id, result: { roots: [] } });
  t.match(await answerTo(1), /^web of odin \(environment default\): /);
});

t.test('a long path, and more services than fit into a header', async (t) => {
  const { call, send, answerTo } = open(t);
  let folder = makeFolder(t, 'deep');
  while (Buffer.byteLength(folder) < 3600) {
    folder = join(folder, '深'.repeat(80));
    mkdirSync(folder);
  }
  call(1, { project: 'odin', service: 'deep', cwd: folder });
  t.match(await answerTo(1), /^deep of odin /);
  const names = Array.from({ length: 400 }, (_, i) => `service-with-a-long-name-${i}`);
  writeFileSync(
    join(folder, 'ports.yaml'),
    `project: odin\nservices: { ${names.map((name) => `${name}: {}`).join(', ')} }\n`,
  );
  call(2, { service: 'deep', cwd: folder });
  t.match(await answerTo(2), /^deep of odin /);
  send({ id: 3, method: 'tools/call', params: { name: 'get-environment-ports', arguments: { cwd: folder } } });
  t.match(await answerTo(3), /\/services is required, .* or it names more than go along with a call/);
});
