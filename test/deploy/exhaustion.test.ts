// The database has no connection or no disk space left: requests are refused with 503, nothing that was acknowledged is
// lost, and requests are served again once there is some.
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import t, { type Test } from 'tap';
import { startPostgres } from '../../scripts/postgres.js';
import { createDatabase } from '../helpers/database.js';
import { type Service, startService } from '../helpers/service.js';

const run = promisify(execFile);

const PROJECTS = ['consilio', 'openhorizon', 'odin', 'health-agent'];

/** Sends a request on a new connection. */
function callAlone(url: string, path: string): Promise<{ status: number; port: number }> {
  return new Promise((resolve, reject) => {
    const asked = request(url + path, { method: 'PUT', agent: new Agent() }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, port: JSON.parse(text).port }));
    });
    asked.on('error', reject).end();
  });
}

const isRefusal = ({ status, body, headers }: Awaited<ReturnType<Service['call']>>) =>
  status === 503 && body.code === 'database-unavailable' && /^\d+$/.test(headers.get('retry-after') ?? '');

t.test('a storm of connections is answered, over no more connections to the database than the pool has', async (t) => {
  const database = await createDatabase(t, process.env.TEST_TEMPLATE);
  const service = await startService(t, { DATABASE_URL: database }).ready();
  const url = await service.url;
  const psql = new pg.Client({ connectionString: database });
  await psql.connect();
  t.teardown(() => psql.end());
  const paths = PROJECTS.flatMap((project) =>
    Array.from({ length: 250 }, (_, i) => `/v1/projects/${project}/services/s${i % 90}`),
  );
  const answers = Promise.all(paths.map((path) => callAlone(url, path)));
  let most = 0;
  for (let running = true; running; ) {
    running = await Promise.race([answers.then(() => false), sleep(20, true)]);
    const { rows } = await psql.query(`
      select count(*)::integer from pg_stat_activity
      where datname = current_database() and application_name = 'port-allocator'`);
    most = Math.max(most, rows[0].count);
  }
  const statuses = (await answers).map(({ status }) => status);
  t.equal(statuses.filter((status) => status === 201).length, PROJECTS.length * 90);
  t.equal(statuses.filter((status) => status === 200).length, PROJECTS.length * 160);
  t.ok(most <= 10, `${most} connections to the database`);
});

t.test('a database without a free connection: 503, and all goes on when there is one', async (t) => {
  const server = await startPostgres({ max_connections: '15', superuser_reserved_connections: '0', fsync: 'off' });
  t.teardown(() => server.stop());
  const variables = { DATABASE_URL: server.url, SEED_ON_START: 'true' };
  const replicas = await Promise.all([startService(t, variables).ready(), startService(t, variables).ready()]);
  const others: pg.Client[] = [];
  for (let isFull = false; !isFull; ) {
    const client = new pg.Client({ connectionString: server.url });
    isFull = await client.connect().then(
      () => false,
      ({ code }) => code === '53300',
    );
    if (!isFull) others.push(client);
  }
  const callAll = () =>
    Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        (replicas[i % 2] as Service).call('PUT', `/v1/projects/${PROJECTS[i % 4]}/services/s${i}`),
      ),
    );
  const squeezed = await callAll();
  const refused = squeezed.filter(({ status }) => status >= 300);
  t.ok(refused.length > 0, `${refused.length} of ${squeezed.length} refused`);
  t.ok(refused.every(isRefusal), 'as unavailable, with Retry-After');
  await Promise.all(others.map((client) => client.end()));
  for (const deadline = Date.now() + 20_000; ; await sleep(100)) {
    const answers = await callAll();
    if (answers.every(({ status }) => status < 300)) break;
    if (Date.now() > deadline) t.fail('it goes on');
  }
  for (const [i, { status, body }] of squeezed.entries()) {
    if (status !== 201) continue;
    const { body: found } = await (replicas[0] as Service).call(
      'GET',
      `/v1/projects/${PROJECTS[i % 4]}/services/s${i}`,
    );
    t.equal(found.port, body.port, 'what was acknowledged is there');
  }
});

/** Makes a file system of this size. It is removed when the test ends. */
async function makeDisk(t: Test, mebibytes: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'port-allocator-disk-'));
  await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0755`, 'tmpfs', folder]);
  t.teardown(async () => {
    await run('umount', [folder]);
    await rm(folder, { recursive: true });
  });
  await chmod(folder, 0o755);
  return folder;
}

const skip = process.platform === 'linux' && process.getuid?.() === 0 ? false : 'mounting a disk wants root on Linux';
t.test('a database whose disk is full: 503, and nothing acknowledged is lost', { skip }, async (t) => {
  const disk = await makeDisk(t, 160);
  const server = await startPostgres({ min_wal_size: '32MB', max_wal_size: '32MB' }, disk);
  t.teardown(() => server.stop());
  const service = await startService(t, {
    DATABASE_URL: server.url,
    SEED_ON_START: 'true',
  }).ready();
  const acknowledged: string[] = [];
  /** With so much to store in each call that a few calls fill the disk. */
  const metadata = {
    filler: Array.from({ length: 4000 }, () => Math.random().toString(36))
      .join('')
      .slice(0, 15_000),
  };
  const allocate = async () => {
    const answer = await service.call('POST', '/v1/projects/consilio/allocations', { service: 'big', metadata });
    if (answer.status === 201) {
      acknowledged.push(answer.body.id);
      await service.call('DELETE', `/v1/allocations/${answer.body.id}`);
    }
    return answer;
  };
  t.equal((await allocate()).status, 201);
  const { bavail, bsize } = await statfs(disk);
  const ballast = join(disk, 'ballast');
  await writeFile(ballast, Buffer.alloc(bavail * bsize - 256 * 1024));
  let refusal: Awaited<ReturnType<typeof allocate>> | undefined;
  for (let i = 0; i < 5000 && !refusal; i++) {
    const answer = await allocate();
    if (answer.status !== 201) refusal = answer;
  }
  t.ok(refusal && isRefusal(refusal), `after ${acknowledged.length} allocations: ${JSON.stringify(refusal?.body)}`);
  t.equal((await service.call('GET', '/readyz')).status, 200, 'the service itself is well');
  for (let i = 0; i < 20; i++) t.ok(isRefusal(await allocate()), 'and so is each that follows');

  await rm(ballast);
  await sleep(1000);
  const client = new pg.Client({ connectionString: server.url });
  const isDown = await client.connect().then(
    () => client.end().then(() => false),
    () => true,
  );
  // PostgreSQL stops if there is no room for its log. Whoever makes room then has to start it again.
  if (isDown) await server.restart();
  for (const deadline = Date.now() + 30_000; (await allocate()).status !== 201; await sleep(100)) {
    if (Date.now() > deadline) return t.fail('it goes on');
  }
  for (const id of acknowledged) {
    const { status } = await service.call('GET', `/v1/allocations/${id}`);
    if (status !== 200) t.fail(`${id} was lost`);
  }
  t.comment(`${acknowledged.length} acknowledged; PostgreSQL ${isDown ? 'had to be started again' : 'went on'}`);
});
