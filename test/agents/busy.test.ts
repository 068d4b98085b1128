// What was acknowledged is kept, no port is given twice and no client breaks, while services come, go and are killed.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { connect } from '../../src/client/connection.js';
import { readHolder } from '../../src/embedded/holder.js';
import { type Agent, ask, killService, listPorts, startAgents, startService } from '../helpers/agents.js';
import { makeSeededDir } from '../helpers/database.js';

const AGENTS = 10;
const PORTS = 100;

t.setTimeout(300_000);

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
      while (given < Math.min(before + 20, PORTS)) await sleep(5);
      await sleep(Math.random() * 50);
      if ((await killService(dataDir)) !== null) kills += 1;
    }
  })();
  const ports = (await Promise.all(asking)).flat();
  await killing;
  t.ok(kills >= 3, `killed ${kills} times`);
  t.equal(new Set(ports).size, PORTS, 'none twice');
  t.same(
    await listPorts(agents[0] as Agent),
    [...ports].sort((a, b) => a - b),
    'none lost, and none taken that nobody was given',
  );
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
      await sleep(20); // leaves processor time to the services that start
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
  for (let i = 0; i < 2; i += 1) {
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
