// The compiled service as a process: how it starts, refuses to start, and stops.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import t from 'tap';
import { packageRoot } from '../../src/package-root.js';
import { createDatabase } from '../helpers/database.js';
import { runScript, startService } from '../helpers/service.js';

t.test('every bad variable is reported at once, before anything starts', async (t) => {
  const { code, output } = await runScript(t, 'src/main.js', {
    PORT: '99999',
    HOST: '0.0.0.0',
    DATABASE_URL: 'mysql://root:secret@db/x',
    LOCK_TIMEOUT_MS: 'soon',
    LOG_LEVEL: 'loud',
    MIGRATE_ON_START: 'perhaps',
    TRUST_PROXY: '10.0.0.0/8,everyone',
    BASE_PATH: 'no path',
  });
  t.equal(code, 1);
  const [title, ...problems] = output.trimEnd().split('\n');
  t.equal(title, 'The configuration is not valid:');
  const named = problems.map((line) => line.trim().split(':')[0]).sort();
  const bad = ['BASE_PATH', 'DATABASE_URL', 'HOST', 'LOCK_TIMEOUT_MS', 'LOG_LEVEL', 'MIGRATE_ON_START', 'PORT'];
  t.same(named, [...bad, 'TRUST_PROXY']);
  t.notMatch(output, /secret/, 'a password is not printed');
});

t.test('listening beyond loopback needs ALLOW_UNAUTHENTICATED', async (t) => {
  const url = await createDatabase(t);
  const refused = await runScript(t, 'src/main.js', { HOST: '0.0.0.0', DATABASE_URL: url });
  t.equal(refused.code, 1);
  t.match(refused.output, /HOST: "0\.0\.0\.0" is not a loopback address.*ALLOW_UNAUTHENTICATED=true/);
  const allowed = startService(t, { HOST: '0.0.0.0', ALLOW_UNAUTHENTICATED: 'true', DATABASE_URL: url });
  await allowed.ready();
  t.equal(await allowed.kill('SIGTERM'), 0);
});

t.test('on SIGTERM what is in flight is answered, readiness ends, and the process exits with 0', async (t) => {
  const url = await createDatabase(t);
  const service = await startService(t, { DATABASE_URL: url, SEED_ON_START: 'true' }).ready();
  const blocker = new pg.Client({ connectionString: url });
  await blocker.connect();
  await blocker.query("begin; select from port_ranges where project = 'consilio' for update");

  // Half a request before the signal, the other half after it.
  const socket = connect(Number(new URL(await service.url).port), '127.0.0.1');
  let received = '';
  socket.on('data', (data) => {
    received += data;
  });
  const ended = new Promise((resolve) => socket.on('close', resolve));
  socket.write('GET /readyz HTTP/1.1\r\nHost: localhost\r\n');
  const inFlight = Promise.all([1, 2, 3].map((i) => service.call('PUT', `/v1/projects/consilio/services/other${i}`)));
  await untilWaiting(url, 1);
  await sleep(300); // until the requests that have been sent have arrived
  const began = Date.now();
  const exited = service.kill('SIGTERM');
  while (!service.output().includes('Stopping')) await sleep(20);
  socket.write('\r\n');
  await ended;
  t.match(received, /^HTTP\/1\.1 503 /);
  t.match(received, /"reason":"shutting down"/);
  await blocker.query('commit');
  await blocker.end();

  t.equal(await exited, 0);
  t.ok(Date.now() - began < 15_000, 'within a bound');
  t.same(
    (await inFlight).map(({ status }) => status),
    [201, 201, 201],
  );
  await t.rejects(service.call('GET', '/livez'), 'nobody listens any more');

  const check = new pg.Client({ connectionString: url });
  await check.connect();
  const { rows } = await check.query('select count(*)::integer as count from active_port_allocations');
  t.equal(rows[0].count, 3, 'what was answered is kept');
  await check.end();
});

t.test('SIGTERM to npm alone stops the service that npm start runs', async (t) => {
  const env = { ...process.env, PORT: '0', DATABASE_URL: await createDatabase(t), LOG_LEVEL: 'info' };
  const npm = spawn('npm', ['start'], { cwd: packageRoot, env, stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => npm.kill('SIGKILL'));
  const exited = once(npm, 'exit');
  let output = '';
  for await (const chunk of npm.stdout) {
    output += chunk;
    // The loop goes on until all processes that write to the output have ended.
    if (output.includes('"Ready"') && !npm.killed) npm.kill('SIGTERM');
  }
  t.match(output, /"Stopped"/);
  await exited;
});

t.test('on SIGTERM a request that never ends does not keep the process running', async (t) => {
  const url = await createDatabase(t);
  const variables = { DATABASE_URL: url, SEED_ON_START: 'true', REQUEST_TIMEOUT_MS: '1000', LOCK_TIMEOUT_MS: '60000' };
  const service = await startService(t, variables).ready();
  const blocker = new pg.Client({ connectionString: url });
  await blocker.connect();
  await blocker.query("begin; select from port_ranges where project = 'consilio' for update");
  const call = service.call('PUT', '/v1/projects/consilio/services/api');
  await untilWaiting(url, 1);
  const began = Date.now();
  t.equal(await service.kill('SIGTERM'), 0);
  t.ok(Date.now() - began < 1000 + 5000 + 5000, 'REQUEST_TIMEOUT_MS and the margin for closing');
  t.match(await call, { status: 503 });
  await blocker.end();
});

async function untilWaiting(url: string, count: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const waiting = `select count(*)::integer as count from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`;
  while ((await client.query(waiting)).rows[0].count < count) await sleep(20);
  await client.end();
}

t.test('on SIGTERM a connection on which no request was sent does not keep the process running', async (t) => {
  const variables = { DATABASE_URL: await createDatabase(t), REQUEST_TIMEOUT_MS: '1000' };
  const service = await startService(t, variables).ready();
  const silent = connect(Number(new URL(await service.url).port), '127.0.0.1');
  await once(silent, 'connect');
  await service.call('GET', '/livez');
  t.equal(await service.kill('SIGTERM'), 0);
  silent.destroy();
});

t.test('the database is closed even if closing something else fails', async (t) => {
  const folder = t.testdir({
    'faulty.mjs': `
      import { Cron } from 'croner';
      import pg from 'pg';
      Cron.prototype.nextRun = () => { throw new Error('the monitor has failed'); };
      const { end } = pg.Pool.prototype;
      pg.Pool.prototype.end = function () {
        process.stdout.write('a pool is closed. ');
        return end.call(this);
      };`,
  });
  const faulty = { NODE_OPTIONS: `--import=${pathToFileURL(join(folder, 'faulty.mjs'))}` };
  const service = startService(t, { DATABASE_URL: await createDatabase(t), ...faulty });
  t.equal(await service.exited, 1);
  t.equal(service.output().match(/a pool is closed/g)?.length, 2, 'the one of the migrations, and the service’s');
  t.match(service.output(), /the monitor has failed.*Not everything could be closed/);
  t.notMatch(service.output(), /"Stopped"/);
});

for (const [how, body, end] of [
  ['waits for ever', 'return new Promise(() => {});', [1, null]],
  ['never returns', 'for (;;);', [null, 'SIGKILL']],
] as const) {
  t.test(`a process ends although something that it closes ${how}`, async (t) => {
    const folder = t.testdir({
      'faulty.mjs': `
        import pg from 'pg';
        const { end } = pg.Pool.prototype;
        pg.Pool.prototype.end = function () {
          if (this.options.max === 1) return end.call(this); // the connection of the migrations
          ${body}
        };`,
    });
    const faulty = { NODE_OPTIONS: `--import=${pathToFileURL(join(folder, 'faulty.mjs'))}` };
    const variables = { DATABASE_URL: await createDatabase(t), REQUEST_TIMEOUT_MS: '1000', ...faulty };
    const service = await startService(t, variables).ready();
    const began = Date.now();
    service.child.kill('SIGTERM');
    t.same(await once(service.child, 'exit'), end);
    t.ok(Date.now() - began < 1000 + 5000 + 2000 + 1000 + 5000, 'its patience, and the margins');
  });
}

t.test('a fault of the process itself ends it at once', async (t) => {
  const service = await startService(t, { DATABASE_URL: await createDatabase(t) }).ready();
  service.child.kill('SIGSEGV');
  t.same(await once(service.child, 'exit'), [null, 'SIGSEGV']);
});
