// Many agents on one data folder: nothing that was acknowledged is lost, no port is given twice, and no client breaks.
import { lstat, mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import { readHolder } from '../../src/embedded/holder.js';
import { type Agent, ask, killService, startAgents, startService } from '../helpers/agents.js';
import { makeDataDir, makeSeededDir } from '../helpers/database.js';
import { until } from '../helpers/until.js';

const AGENTS = 10;

/** Long enough for processes to start, and for each new service to open the database. */
t.setTimeout(300_000);

const sorted = (ports: number[]) => [...ports].sort((a, b) => a - b);

t.test('ten agents that start at once on an empty data folder get ten ports from one service', async (t) => {
  const dataDir = await makeDataDir(t);
  const agents = await startAgents(t, dataDir, AGENTS);
  const ports = await Promise.all(agents.map((agent, i) => ask(agent, 'get-port', { service: `s${i}` })));
  t.same(
    sorted(ports),
    Array.from({ length: AGENTS }, (_, i) => 9000 + i),
  );
  t.equal((await readHolder(dataDir))?.mode, 'background');
});

t.test('a second service is refused, and names the first', async (t) => {
  const dataDir = await makeSeededDir(t);
  const [agent] = (await startAgents(t, dataDir, 1)) as [Agent];
  const port = await ask(agent, 'get-port', { service: 'api' });
  const service = await startService(t, dataDir);
  const answer = await fetch(`${service.url}/v1/projects/shared-services/services/api`);
  t.equal(((await answer.json()) as { port: number }).port, port, 'the service has what the agent was given');
  await t.rejects(startService(t, dataDir), { message: /in use by another Port Allocator \(pid \d+/ });
});

t.test('the path of the data folder is too long for a socket: all goes on, and no socket is left', async (t) => {
  const short = await makeSeededDir(t);
  const dataDir = join(short, 'x'.repeat(120));
  await mkdir(dataDir, { mode: 0o700 });
  await rename(join(short, 'database'), join(dataDir, 'database'));
  const [agent] = (await startAgents(t, dataDir, 1)) as [Agent];
  const port = await ask(agent, 'get-port', { service: 'api' });
  const left = (await readHolder(dataDir))?.path as string;
  t.equal((await lstat(dirname(left))).mode & 0o777, 0o700);
  await killService(dataDir);
  t.equal(await ask(agent, 'get-port', { service: 'api' }), port);
  await t.rejects(lstat(dirname(left)), { code: 'ENOENT' }, 'the next service removes what the killed one has left');
  const { pid, path } = (await readHolder(dataDir)) as { pid: number; path: string };
  process.kill(pid, 'SIGTERM');
  await until(async () => (await readHolder(dataDir))?.path !== path);
  await until(async () => !(await exists(dirname(path))));
  t.notOk(await exists(dirname(path)));
});

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );
