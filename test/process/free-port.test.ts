import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { requireFreePort } from '../../src/process/free-port.js';
import { makeApp } from '../helpers/app.js';
import { makeDataDir, openEmbedded } from '../helpers/database.js';
import { runScript } from '../helpers/service.js';

t.test('a port on which a Port Allocator listens is refused with its URL', async (t) => {
  const app = await makeApp(t, await openEmbedded(t));
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  await t.rejects(requireFreePort({ host: '127.0.0.1', port }), {
    name: 'StartError',
    message:
      `PORT: another Port Allocator is running on ${port} already.\nUse the one that is running: ${url}. Or give this ` +
      'one a PORT and a DATA_DIR of its own.',
  });
  await app.close();
  await requireFreePort({ host: '127.0.0.1', port }); // and leaves it free
  await requireFreePort({ host: '127.0.0.1', port });
});

t.test('a port of another program, which never answers, is refused before anything is created', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dataDir = join(await makeDataDir(t), 'data');
  const { code, output } = await runScript(t, 'src/main.js', { PORT: String(port), DATA_DIR: dataDir });
  t.equal(code, 1);
  t.equal(output, `PORT: ${port} is taken by another program.\nSet PORT to a free port, or stop that program.\n`);
  t.notOk(existsSync(dataDir));
});
