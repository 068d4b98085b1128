import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import t from 'tap';
import { packageRoot } from '../../src/package-root.js';
import { createDatabase, makeDataDir, makeSeededDir } from '../helpers/database.js';
import { BRIDGE, clients, closeAtEnd } from '../helpers/mcp.js';

/** Long enough for processes that start and open a database. */
t.setTimeout(240_000);

/**
 * Enough calls to fill stderr: each logs a line of about 250 bytes. A pipe holds 64 KiB, a socket of Node about 200.
 */
const UNREAD_CALLS = 3000;

const PATH = process.env.PATH ?? '';

for (const { name, overStdio } of clients) {
  t.test(`${name} gets a port over stdio, on the embedded default`, async (t) => {
    const client = await closeAtEnd(t, overStdio({ DATA_DIR: await makeSeededDir(t), PATH }));
    t.ok((await client.listTools()).tools.some((tool) => tool.name === 'get-port'));
    const result = await client.callTool({ name: 'get-port', arguments: { project: 'odin', service: 'api' } });
    t.match(result, { structuredContent: { port: 3300, service: 'api' } });
    await t.rejects(client.callTool({ name: 'take-port' }), { code: -32602 });
  });
}

t.test('over stdio on PostgreSQL, the process migrates the database first', async (t) => {
  const [client] = clients;
  const variables = { DATABASE_URL: await createDatabase(t), SEED_ON_START: 'true', PATH };
  const agent = await closeAtEnd(t, (client as (typeof clients)[0]).overStdio(variables));
  const result = await agent.callTool({ name: 'get-port', arguments: { project: 'odin', service: 'api' } });
  t.match(result, { structuredContent: { port: 3300 } });
});

t.test('a client that never reads stderr is answered all the same, and the process ends with it', async (t) => {
  const child = spawn(process.execPath, [BRIDGE], {
    env: { DATA_DIR: await makeSeededDir(t), LOG_LEVEL: 'info', PATH },
    stdio: 'pipe',
  });
  t.teardown(() => child.kill('SIGKILL'));
  const closed = once(child, 'exit');
  const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const initialize = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  send({ id: 'first', method: 'initialize', params: initialize });
  send({ method: 'notifications/initialized' });
  let answered = 0;
  for await (const line of createInterface(child.stdout)) {
    if (line.includes('"result"')) answered += 1;
    if (answered > UNREAD_CALLS) break;
    const call = { name: 'get-port', arguments: { project: 'odin', service: 'api' } };
    send({ id: answered, method: 'tools/call', params: call });
  }
  t.equal(answered, UNREAD_CALLS + 1);
  t.ok(child.stderr.readableLength > 0, 'there was something to read');
  child.stdin.end();
  t.equal((await closed)[0], 0);
});

t.test(
  '`npm --silent run mcp`, from another folder, prints nothing on stdout but protocol messages, and ends with its client',
  async (t) => {
    // Without what npm adds to the environment, as if a client started it.
    const { npm_config_loglevel: _, ...env } = process.env;
    const child = spawn('npm', ['--silent', '--prefix', packageRoot, 'run', 'mcp'], {
      cwd: tmpdir(),
      env: { ...env, DATA_DIR: await makeDataDir(t), LOG_LEVEL: 'debug' },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    t.teardown(() => child.kill());
    let stdout = '';
    const answered = new Promise<void>((resolve) => {
      child.stdout.setEncoding('utf8').on('data', (text) => {
        stdout += text;
        if (stdout.includes('"id":2')) resolve();
      });
    });
    const initialize = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
    const call = { name: 'get-port', arguments: { project: 'odin', service: 'api' } };
    for (const message of [
      { id: 1, method: 'initialize', params: initialize },
      { method: 'notifications/initialized' },
      { id: 2, method: 'tools/call', params: call },
    ]) {
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    }
    await answered;
    child.stdin.end();
    const [code] = await once(child, 'close');
    t.equal(code, 0);
    const messages = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    t.match(messages, [
      { jsonrpc: '2.0', id: 1 },
      { id: 2, result: { structuredContent: { port: 3300 } } },
    ]);
    t.equal(messages.length, 2);
  },
);

t.test('a client that closes stdin right after its last request gets all answers', async (t) => {
  const child = spawn(process.execPath, [BRIDGE], {
    env: { DATA_DIR: await makeSeededDir(t), PATH },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.teardown(() => child.kill());
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  const call = (id: number, service: string) => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name: 'get-port', arguments: { project: 'odin', service } },
  });
  const clientInfo = { name: 'test', version: '1' };
  const messages = [
    {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo },
    },
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    call(2, 'api'),
    call(3, 'web'),
  ];
  child.stdin.end(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
  const [code] = await once(child, 'close');
  t.equal(code, 0);
  const answers = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .sort((one, other) => one.id - other.id);
  t.match(answers, [
    { id: 1 },
    { id: 2, result: { structuredContent: { service: 'api' } } },
    { id: 3, result: { structuredContent: { service: 'web' } } },
  ]);
});

t.test('a bad configuration is reported on stderr', async (t) => {
  const child = spawn(process.execPath, [BRIDGE], { env: { PORT: 'x', PATH } });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  t.equal(code, 1);
  t.equal(stdout, '');
  t.match(stderr, /PORT/);
});
