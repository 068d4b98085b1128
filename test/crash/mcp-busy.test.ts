import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { lockDataDir } from '../../src/embedded/data-dir-lock.js';
import { AGENTS, type Agent, ask, holderPid, startAgents, startService } from '../helpers/agents.js';
import { makeSeededDir } from '../helpers/database.js';

/** Longer than opening a new database took when five agents started at once on a busy machine. */
const OPENING_MS = 22_000;

t.setTimeout(300_000);

t.test('the service starts while five agents call all the time, and no call fails', async (t) => {
  const dataDir = await makeSeededDir(t);
  const agents = await startAgents(t, dataDir, AGENTS);
  let [starting, calls] = [true, 0];
  const calling = agents.map(async (agent, i) => {
    while (starting) {
      await ask(agent, 'get-port', { service: `s${i}` });
      calls += 1;
    }
    return ask(agent, 'get-port', { service: 'last' });
  });
  const services = (async () => {
    for (let i = 0; i < 3; i += 1) {
      const { child } = await startService(t, dataDir);
      t.equal(await holderPid(dataDir), child.pid, 'the agents leave the registry to the service');
      if (i === 2) break;
      // The quickest agent gets the lock next, and gives it up again.
      child.kill(i === 0 ? 'SIGTERM' : 'SIGKILL');
      await once(child, 'exit');
      const before = calls;
      while (calls < before + AGENTS) await setTimeout(20);
    }
  })().finally(() => {
    starting = false;
  });
  const [ports] = await Promise.all([Promise.all(calling), services]);
  t.equal(new Set(ports).size, 1, 'and go on through it');
});

t.test('a call waits for a process that takes its time to open the database', async (t) => {
  const dataDir = await makeSeededDir(t);
  const opening = await lockDataDir(dataDir);
  const [agent] = (await startAgents(t, dataDir, 1)) as [Agent];
  const asked = ask(agent, 'get-port', { service: 'api' });
  await setTimeout(OPENING_MS);
  await opening.release();
  t.equal(await asked, 9000);
});
