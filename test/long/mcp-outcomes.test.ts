import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { prepareDatabase } from '../../src/database/prepare.js';
import { awaitDataDir, lockDataDir } from '../../src/embedded/data-dir-lock.js';
import { announce, type PeerEndpoint, readHolder } from '../../src/embedded/holder.js';
import { passOn, servePeers } from '../../src/mcp/peers.js';
import { openRegistry } from '../../src/mcp/registry.js';
import { openToolsForKeys } from '../../src/mcp/tools.js';
import { createService } from '../../src/service.js';
import { makeDataDir, makeSeededDir } from '../helpers/database.js';

t.setTimeout(120_000);

const log = pino({ level: 'silent' });

function withResolvers() {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Returns `call(tool, input)` of a process that has to pass its calls on to the holder of the lock. */
function openAgent(t: Test, dataDir: string) {
  const registry = openRegistry(loadConfig({ DATA_DIR: dataDir }), log, String);
  t.teardown(() => registry.close());
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts what an answer holds, field by field
  return (name: string, input: object): Promise<any> =>
    registry.callTool({ name, input, idempotencyKey: null, requestId: 'r', signal: new AbortController().signal });
}

/** Starts a holder of the lock that answers calls with this function. */
async function startHolder(t: Test, dataDir: string, respond: (answer: ServerResponse) => void) {
  const lock = await lockDataDir(dataDir);
  let calls = 0;
  const server = createServer((_request, answer) => {
    calls += 1;
    respond(answer);
  });
  const path = join(dataDir, 'socket');
  server.listen(path);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await announce(dataDir, { path, yields: false });
  return { calls: () => calls, release: () => lock.release() };
}

/** A holder that receives calls and dies before it answers. */
const startDyingHolder = (t: Test, dataDir: string) => startHolder(t, dataDir, ({ req }) => req.socket.destroy());

t.test('a release by key whose outcome is unknown is not repeated, and the agent is told what to do', async (t) => {
  const dataDir = await makeSeededDir(t);
  const holder = await startDyingHolder(t, dataDir);
  const result = await openAgent(t, dataDir)('release-port', { project: 'odin', service: 'api' });
  t.match(result, {
    isError: true,
    content: [{ text: /^database-unavailable: .* is not known\.\nNext: .*list-ports/s }],
  });
  t.equal(holder.calls(), 1);
  await holder.release();
});

t.test('a call that is safe to repeat is repeated until a holder answers, or there is none', async (t) => {
  const dataDir = await makeSeededDir(t);
  const holder = await startDyingHolder(t, dataDir);
  const asked = openAgent(t, dataDir)('get-port', { project: 'odin', service: 'api' });
  while (holder.calls() < 3) await new Promise(setImmediate);
  await holder.release();
  t.match(await asked, { structuredContent: { port: 3300 } });
});

t.test('an allocation whose answer was lost is found by the retry, and not made twice', async (t) => {
  const dataDir = await makeSeededDir(t);
  const config = loadConfig({ DATA_DIR: dataDir });
  const database = await connectDatabase(config, log);
  await prepareDatabase(database, config, log, new AbortController().signal);
  const callTool = openToolsForKeys(createService({ database, config, log }));
  let answers = 0;
  const peers = await servePeers(
    dataDir,
    async (call) => {
      const result = await callTool(call);
      answers += 1;
      if (answers === 1) throw new Error('the answer is lost');
      return result;
    },
    null,
  );
  const call = openAgent(t, dataDir);
  t.match(await call('allocate-port', { project: 'odin', service: 'api' }), { structuredContent: { port: 3300 } });
  t.equal(answers, 2);
  t.equal((await call('list-ports', { project: 'odin' })).structuredContent.items.length, 1);
  await peers.close();
  await database.close();
});

t.test('no agent locks the data directory while a service waits for it', async (t) => {
  const dataDir = await makeSeededDir(t);
  const waiting = await awaitDataDir(dataDir);
  t.equal(await awaitDataDir(dataDir), null, 'one service at a time');
  let answered = false;
  const asked = openAgent(t, dataDir)('get-port', { project: 'odin', service: 'api' }).finally(() => {
    answered = true;
  });
  for (let looks = 0; looks < 10; looks += 1) {
    await setTimeout(50);
    const lock = await lockDataDir(dataDir); // throws if the agent has it
    await lock.release();
  }
  t.notOk(answered);
  await waiting?.release();
  t.match(await asked, { structuredContent: { port: 3300 } });
});

t.test('a holder that gives way releases the lock as soon as its last call is answered', async (t) => {
  const dataDir = await makeDataDir(t);
  const answered = { content: [{ type: 'text' as const, text: '{}' }] };
  const { promise: mayAnswer, resolve: letAnswer } = withResolvers();
  const { promise: asked, resolve: wasAsked } = withResolvers();
  const peers = await servePeers(
    dataDir,
    async () => {
      wasAsked();
      await mayAnswer;
      return answered;
    },
    null,
  );
  const { endpoint } = (await readHolder(dataDir)) as { endpoint: PeerEndpoint };
  const call = { name: 'port-summary', input: {}, idempotencyKey: 'k', apiKey: null, requestId: 'r' };
  const passed = passOn(endpoint, { ...call, signal: new AbortController().signal }, 10_000);
  await asked;
  const closed = peers.close();
  await setTimeout(200); // so that the connection is in use when closing begins
  letAnswer();
  t.same(await passed, { outcome: 'answered', result: answered });
  const since = performance.now();
  await closed;
  t.ok(performance.now() - since < 2000, 'a connection that is kept alive keeps nobody waiting');
});

t.test('a call that the holder refuses as invalid or too large is refused at once, and not repeated', async (t) => {
  for (const [status, code] of [
    [400, 'validation-failed'],
    [413, 'payload-too-large'],
  ] as const) {
    const dataDir = await makeSeededDir(t);
    const holder = await startHolder(t, dataDir, (answer) => answer.writeHead(status).end());
    t.match(await openAgent(t, dataDir)('get-port', { project: 'odin', service: 'api' }), {
      isError: true,
      content: [{ text: new RegExp(`^${code}: `) }],
    });
    t.equal(holder.calls(), 1);
    await holder.release();
  }
});

t.test('an input that REST would refuse is never sent to the holder', async (t) => {
  const dataDir = await makeSeededDir(t);
  const holder = await startHolder(t, dataDir, (answer) => answer.writeHead(503).end());
  const call = openAgent(t, dataDir);
  const deep = JSON.parse(`${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`);
  for (const [field, expected] of [
    [{ metadata: { constructor: { prototype: { x: 1 } } } }, /^validation-failed: \/metadata\/constructor is a name/],
    [{ metadata: JSON.parse('{"__proto__":{"x":1}}') }, /^validation-failed: \/metadata\/__proto__ is a name/],
    [{ metadata: deep }, /^validation-failed: .* nested more than 10 levels/],
    [{ description: 'x'.repeat(2_500_000) }, /^payload-too-large: /],
  ] as const) {
    t.match(await call('get-port', { project: 'odin', service: 'api', ...field }), {
      isError: true,
      content: [{ text: expected }],
    });
  }
  t.equal(holder.calls(), 0);
  await holder.release();
});

t.test('an import that waits for its turn is not executed if its caller has left', async (t) => {
  const dataDir = await makeSeededDir(t);
  const registry = openRegistry(loadConfig({ DATA_DIR: dataDir }), log, String);
  t.teardown(() => registry.close());
  const adopt = (port: number, signal: AbortSignal) =>
    registry.callTool({
      name: 'import-ports',
      input: { items: [{ port, service: 'api' }] },
      idempotencyKey: null,
      requestId: 'r',
      signal,
    });
  await adopt(3300, new AbortController().signal); // opens the database
  const leaving = new AbortController();
  const first = adopt(3301, new AbortController().signal);
  const second = adopt(3302, leaving.signal);
  leaving.abort();
  t.match(await first, { structuredContent: { items: [{ outcome: 'adopted' }] } });
  t.match(await second, { isError: true });
  t.match(await adopt(3302, new AbortController().signal), {
    structuredContent: { items: [{ outcome: 'adopted' }] },
  });
});
