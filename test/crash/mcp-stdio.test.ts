import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import t from 'tap';
import { lockDataDir } from '../../src/embedded/data-dir-lock.js';
import { packageRoot } from '../../src/package-root.js';
import { endServiceAtEnd, PATH } from '../helpers/agents.js';
import { createDatabase, makeDataDir, makeSeededDir } from '../helpers/database.js';
import { BRIDGE, clients, closeAtEnd } from '../helpers/mcp.js';

/** Long enough for processes that start and open a database. */
t.setTimeout(240_000);

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};
const INITIALIZED = { jsonrpc: '2.0', method: 'notifications/initialized' };
const call = (id: number, service: string) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'get-port', arguments: { project: 'odin', service } },
});

for (const { name, overStdio } of clients) {
  t.test(`${name} gets a port over stdio, on the embedded default`, async (t) => {
    const dataDir = await makeSeededDir(t);
    endServiceAtEnd(t, dataDir);
    const client = await closeAtEnd(t, overStdio({ PORT_ALLOCATOR_DATA_DIR: dataDir, PATH }));
    t.ok((await client.listTools()).tools.some((tool) => tool.name === 'get-port'));
    const result = await client.callTool({ name: 'get-port', arguments: { project: 'odin', service: 'api' } });
    t.match(result, { structuredContent: { port: 3300, service: 'api' } });
    await t.rejects(client.callTool({ name: 'take-port' }), { code: -32602 });
  });
}

/** Variables that shells and CI export for other programs. With each of these the process once failed. */
const FOREIGN = [
  'HOST=x86_64-conda-linux-gnu',
  'LOG_LEVEL=INFO',
  'PUBLIC_URL=.',
  'DATABASE_URL=file:./dev.db',
  'PORT=x',
];

t.test('what a shell exports for another program means nothing here', async (t) => {
  const dataDir = await makeSeededDir(t);
  endServiceAtEnd(t, dataDir);
  // The database of another application, which must stay empty.
  const foreign = await createDatabase(t);
  for (const line of [...FOREIGN, `DATABASE_URL=${foreign}`]) {
    const [name = '', value = ''] = line.split(/=(.*)/s);
    const { code, messages } = await run({ PORT_ALLOCATOR_DATA_DIR: dataDir, [name]: value }, [
      INITIALIZE,
      INITIALIZED,
      call(2, 'api'),
    ]);
    t.equal(code, 0);
    t.match(messages[1], { id: 2, result: { structuredContent: { port: 3300 } } }, line);
  }
  const client = new pg.Client({ connectionString: foreign });
  await client.connect();
  const { rows } = await client.query("select from pg_class where relnamespace = 'public'::regnamespace");
  await client.end();
  t.same(rows, []);
});

t.test('a client that closes stdin right after its last request gets all answers', async (t) => {
  const dataDir = await makeSeededDir(t);
  endServiceAtEnd(t, dataDir);
  const { code, messages } = await run({ PORT_ALLOCATOR_DATA_DIR: dataDir }, [
    INITIALIZE,
    INITIALIZED,
    call(2, 'api'),
    call(3, 'web'),
  ]);
  t.equal(code, 0);
  t.match(messages, [
    { id: 1 },
    { id: 2, result: { structuredContent: { service: 'api' } } },
    { id: 3, result: { structuredContent: { service: 'web' } } },
  ]);
});

t.test(
  'the process ends when its client closes stdout, and on every signal, also in the middle of a call',
  async (t) => {
    const dataDir = await makeSeededDir(t);
    endServiceAtEnd(t, dataDir);
    const lock = await lockDataDir(dataDir); // a command works on the data folder, so that no call is answered
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      const child = start({ PORT_ALLOCATOR_DATA_DIR: dataDir }, ['pipe', 'pipe', 'pipe']);
      child.stdin?.write(`${JSON.stringify(INITIALIZE)}\n`);
      await once(child.stderr as Readable, 'data'); // it says what it waits for
      child.kill(signal);
      t.same(await once(child, 'exit'), [0, null], signal);
    }
    await lock.release();
    const child = start({ PORT_ALLOCATOR_DATA_DIR: dataDir }, ['pipe', 'pipe', 'ignore']);
    child.stdout?.destroy();
    child.stdin?.write(`${JSON.stringify(INITIALIZE)}\n`);
    t.same(await once(child, 'exit'), [0, null]);
  },
);

t.test(
  '`npm --silent run mcp`, from another folder, prints nothing on stdout but protocol messages, and ends with its client',
  async (t) => {
    const dataDir = await makeDataDir(t);
    endServiceAtEnd(t, dataDir);
    // Without what npm adds to the environment, as if a client started it.
    const { npm_config_loglevel: _, ...env } = process.env;
    const child = spawn('npm', ['--silent', '--prefix', packageRoot, 'run', 'mcp'], {
      cwd: tmpdir(),
      env: { ...env, PORT_ALLOCATOR_DATA_DIR: dataDir },
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
    for (const message of [INITIALIZE, INITIALIZED, call(2, 'api')]) child.stdin.write(`${JSON.stringify(message)}\n`);
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

t.test('a setting that cannot be used is told on stderr, with what to do', async (t) => {
  const child = start({ PORT_ALLOCATOR_URL: 'localhost:8080' }, ['ignore', 'pipe', 'pipe']);
  const [stdout, stderr] = await Promise.all([text(child.stdout as Readable), text(child.stderr as Readable)]);
  t.equal(child.exitCode ?? (await once(child, 'exit'))[0], 2);
  t.equal(stdout, '');
  t.match(stderr, /^PORT_ALLOCATOR_URL: "localhost:8080" is no address of a service\. Set it .*\n$/);
});

function start(variables: Record<string, string>, stdio: StdioOptions): ChildProcess {
  const child = spawn(process.execPath, [BRIDGE], { env: { ...variables, PATH }, stdio });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

/** Sends messages to a stdio process, closes its stdin, and waits for its end. The answers are sorted by their ids. */
async function run(variables: Record<string, string>, messages: object[]) {
  const child = start(variables, ['pipe', 'pipe', 'ignore']);
  const exited = once(child, 'exit');
  child.stdin?.end(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
  const lines = (await text(child.stdout as Readable)).trimEnd().split('\n');
  const [code] = await exited;
  return { code, messages: lines.map((line) => JSON.parse(line)).sort((one, other) => one.id - other.id) };
}
