// An audit is kept if it was answered, and not if the process was killed while it ran.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { makeSeededDir } from '../helpers/database.js';
import { openBlackHole } from '../helpers/listeners.js';
import { startService } from '../helpers/service.js';

const HOST = '127.0.0.63';

t.test('kill -9 during an audit leaves no part of it, and one that was answered stays', async (t) => {
  const variables = {
    DATA_DIR: await makeSeededDir(t),
    PROBE_TARGETS: `slow=${HOST}`,
    PROBE_TIMEOUT_MS: '20000',
  };
  const first = await startService(t, variables).ready();
  await first.call('PUT', '/v1/projects/consilio/services/api');
  const { port } = (await first.call('PUT', '/v1/projects/odin/services/api?host=slow')).body;
  await openBlackHole(t, HOST, port);
  const kept = (await first.call('POST', '/v1/audits', { host: 'localhost' })).body;
  const killed = t.rejects(first.call('POST', '/v1/audits'), 'the audit is under way, and gets no answer');
  await sleep(1000);
  await first.kill('SIGKILL');
  await killed;
  const second = await startService(t, variables).ready();
  t.same((await second.call('GET', '/v1/audits')).body.items, [kept]);
});
