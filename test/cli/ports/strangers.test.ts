// What the commands say of ports that others have.
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { callCli, openShop } from '../../helpers/cli.js';
import { makeSeededDir } from '../../helpers/database.js';
import { ADMIN, WITH_KEYS } from '../../helpers/keys.js';
import { listen } from '../../helpers/listeners.js';
import { findFreeBlock } from '../../helpers/machine.js';
import { startService } from '../../helpers/service.js';

/** Look-ups go by a list of listeners that is up to two seconds old. */
const LIST_MAX_AGE_MS = 2100;

t.test('each command that gives a port warns of a stranger who listens there, without a manifest too', async (t) => {
  const { pa, service } = await openShop(t);
  const startPort = await findFreeBlock();
  await service.call('POST', '/v1/ranges', { project: 'shop', startPort });
  const port = Number((await pa(['port', 'web'])).stdout);
  t.equal(port, startPort);
  await listen(t, '127.0.0.1', port); // this process lives in another folder
  await setTimeout(LIST_MAX_AGE_MS);
  for (const args of [['port', 'web'], ['url', 'web'], ['env'], ['run', 'web', '--', 'true']]) {
    t.match(await pa(args), { code: 0, stderr: new RegExp(`node \\(pid ${process.pid}\\) in .* listens on ${port}`) });
  }
});

t.test('a port that a project has which the key does not cover is not told as free', async (t) => {
  const service = await startService(t, { DATA_DIR: await makeSeededDir(t), ...WITH_KEYS }).ready();
  const admin = { headers: ADMIN };
  await service.call('PUT', '/v1/projects/odin/services/web', {}, admin);
  const key = { name: 'ci', role: 'project', projects: ['consilio'] };
  const { body } = await service.call('POST', '/v1/api-keys', key, admin);
  const variables = { PORT_ALLOCATOR_URL: await service.url, PORT_ALLOCATOR_API_KEY: body.key };
  t.match(await callCli(['who', '3300'], { variables }), {
    stdout: /^3300: taken, in the range 3300-3399 of odin\./,
  });
});
