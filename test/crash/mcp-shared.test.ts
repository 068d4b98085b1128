// Many agents on one data folder: nothing that was acknowledged is lost, no port is given twice, and no client breaks.
import { once } from 'node:events';
import { lstat, mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { connect } from '../../src/client/connection.js';
import { readHolder } from '../../src/embedded/holder.js';
import { type Agent, ask, killService, listPorts, startAgents, startService } from '../helpers/agents.js';
import { makeDataDir, makeSeededDir } from '../helpers/database.js';

const AGENTS = 10;
const PORTS = 100;

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

t.test('the background service is killed again and again: 100 ports, none twice, none lost', async (t) => {
  const dataDir = await makeSeededDir(t);
  const agents = await startAgents(t, dataDir, AGENTS);
  // Every agent asks for a tenth of the ports, alternately with get-port and with allocate-port.
  let given = 0;
  const asking = agents.map(async (agent, a) => {
    const ports: number[] = [];
    for (let i = a; i < PORTS; i += AGENTS) {
      const [tool, service] = i % 2 === 0 ? ['get-port', `s${i}`] : ['allocate-port', 'many'];
      ports.push(await ask(agent, tool as string, { service }));
      given += 1;
    }
    return ports;
  });
  let kills = 0;
  const killing = (async () => {
    while (given < PORTS) {
      const before = given;
      while (given < Math.min(before + 15, PORTS)) await sleep(5);
      await sleep(Math.random() * 50);
      if ((await killService(dataDir)) !== null) kills += 1;
    }
  })();
  const ports = (await Promise.all(asking)).flat();
  await killing;
  t.ok(kills >= 4, `killed ${kills} times`);
  t.equal(new Set(ports).size, PORTS, 'none twice');
  t.same(await listPorts(agents[0] as Agent), sorted(ports), 'none lost, and none taken that nobody was given');
});

t.test('a service in the foreground comes and goes under commands and agents, and no call fails', async (t) => {
  const dataDir = await makeSeededDir(t);
  const agents = await startAgents(t, dataDir, 5);
  const settings = { url: null, apiKey: null, dataDir, project: null, environment: null };
  let [isGoing, calls] = [true, 0];
  const loop = async (call: () => Promise<unknown>) => {
    while (isGoing) {
      await call();
      calls += 1;
    }
  };
  const path = '/v1/projects/odin/services/passing';
  const working = [
    ...agents.map((agent, i) => loop(() => ask(agent, 'get-port', { service: `s${i}` }))),
    // What a command does: a connection of its own, and one call. A release is not repeated, so that one that met the
    // end of a service would fail.
    ...Array.from({ length: 4 }, (_, i) =>
      loop(() => connect(settings).send({ method: 'PUT', path: `/v1/projects/odin/services/s${i}` })),
    ),
    loop(async () => {
      await connect(settings).send({ method: 'PUT', path });
      await connect(settings).send({ method: 'DELETE', path });
    }),
  ];
  for (let i = 0; i < 3; i += 1) {
    const { child, url } = await startService(t, dataDir);
    t.match(
      await readHolder(dataDir),
      { pid: child.pid, mode: 'foreground', url },
      'it takes the place of the other one',
    );
    let before = calls;
    while (calls < before + 20) await sleep(20);
    child.kill('SIGTERM');
    t.same(await once(child, 'exit'), [0, null]);
    before = calls;
    while (calls < before + 20) await sleep(20);
    t.equal((await readHolder(dataDir))?.mode, 'background');
  }
  isGoing = false;
  await Promise.all(working);
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
  for (let tries = 0; tries < 500 && (await readHolder(dataDir))?.path === path; tries += 1) await sleep(20);
  for (let tries = 0; tries < 500 && (await exists(dirname(path))); tries += 1) await sleep(20);
  t.notOk(await exists(dirname(path)));
});

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );
