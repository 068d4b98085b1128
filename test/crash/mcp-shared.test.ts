import { once } from 'node:events';
import { lstat, mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import { readHolder } from '../../src/embedded/holder.js';
import { AGENTS, type Agent, ask, holderPid, listPorts, startAgents, startService } from '../helpers/agents.js';
import { makeDataDir, makeSeededDir } from '../helpers/database.js';

const PORTS = 100;

/** Long enough for processes to start, and for each new holder of the lock to open the database. */
t.setTimeout(300_000);

t.test(
  'five agents and the service, the holder killed twice in between: 100 ports, none twice, none lost',
  async (t) => {
    const dataDir = await makeDataDir(t);
    const agents = await startAgents(t, dataDir, AGENTS);
    const [first] = agents as [Agent];
    await ask(first, 'get-port', { service: 'warm-up' });
    t.equal(await holderPid(dataDir), first.pid, 'the first to ask holds the registry');
    const service = await startService(t, dataDir);
    t.equal(await holderPid(dataDir), service.child.pid, 'and gives it to the service');

    // Every agent asks for a fifth of the ports, alternately with get-port and with allocate-port.
    const rest = Array.from({ length: PORTS }, (_, i) => i);
    const survivors = agents.map(async (agent, a) => {
      const asked = rest.filter((i) => i % AGENTS === a);
      const ports: number[] = [];
      for (const i of asked) {
        const pair =
          i % 2 === 0 ? ask(agent, 'get-port', { service: `s${i}` }) : ask(agent, 'allocate-port', { service: 'many' });
        ports.push(await pair);
        if (ports.length === 5 && a === 0) service.child.kill('SIGKILL');
      }
      return ports;
    });
    const ports = (await Promise.all(survivors)).flat();
    t.equal(new Set(ports).size, PORTS, 'none twice');
    const held = await listPorts(first);
    t.same(
      held,
      [...new Set([9000, ...ports])].sort((a, b) => a - b),
      'none lost, and none taken that nobody was given',
    );
    const heir = await holderPid(dataDir);
    t.ok(
      agents.some(({ pid }) => pid === heir),
      'an agent holds the registry now',
    );

    process.kill(heir, 'SIGKILL');
    const others = agents.filter(({ pid }) => pid !== heir);
    const again = await Promise.all(others.map((agent) => ask(agent, 'get-port', { service: 's0' })));
    t.equal(new Set(again).size, 1, 'the others find or become the next holder');
    t.same(await listPorts(others[0] as Agent), held);
  },
);

t.test('a service starts while an agent holds the registry, and a second service is refused', async (t) => {
  const dataDir = await makeSeededDir(t);
  const [agent] = (await startAgents(t, dataDir, 1)) as [Agent];
  const port = await ask(agent, 'get-port', { service: 'api' });
  const service = await startService(t, dataDir);
  const answer = await fetch(`${service.url}/v1/projects/shared-services/services/api`);
  t.equal(((await answer.json()) as { port: number }).port, port, 'the service has what the agent was given');
  t.equal(await ask(agent, 'get-port', { service: 'api' }), port, 'and the agent reaches it through the service');
  await t.rejects(startService(t, dataDir), { message: /in use by another Port Allocator \(pid \d+\)/ });

  service.child.kill('SIGTERM');
  await once(service.child, 'exit');
  t.equal(await ask(agent, 'get-port', { service: 'api' }), port, 'and without it, when it has stopped');
});

t.test('the holder’s client leaves: the next call becomes the holder', async (t) => {
  const dataDir = await makeSeededDir(t);
  const [one, two] = (await startAgents(t, dataDir, 2)) as [Agent, Agent];
  const port = await ask(one, 'get-port', { service: 'api' });
  t.equal(await ask(two, 'get-port', { service: 'api' }), port);
  await one.close();
  t.equal(await ask(two, 'get-port', { service: 'api' }), port);
  t.equal(await holderPid(dataDir), two.pid);
});

t.test(
  'the path of the data folder is too long for a socket: all goes on, and no socket is left in the end',
  async (t) => {
    const short = await makeSeededDir(t);
    const dataDir = join(short, 'x'.repeat(120));
    await mkdir(dataDir);
    await rename(join(short, 'database'), join(dataDir, 'database'));
    const [one, two] = (await startAgents(t, dataDir, 2)) as [Agent, Agent];
    const port = await ask(one, 'get-port', { service: 'api' });
    t.equal(await ask(two, 'get-port', { service: 'api' }), port);
    const left = (await readHolder(dataDir))?.endpoint?.path as string;
    t.equal((await lstat(dirname(left))).mode & 0o777, 0o700);

    process.kill(one.pid, 'SIGKILL');
    t.equal(await ask(two, 'get-port', { service: 'api' }), port);
    await t.rejects(lstat(dirname(left)), { code: 'ENOENT' }, 'the next holder removes what the killed one has left');
    const next = (await readHolder(dataDir))?.endpoint?.path as string;
    t.not(next, left);
    await two.close();
    await t.rejects(lstat(dirname(next)), { code: 'ENOENT' });
  },
);
