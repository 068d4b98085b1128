// A service whose data folder is removed never writes into the one that is made in its place.
import { once } from 'node:events';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { lockDataDir } from '../../src/embedded/data-dir-lock.js';
import { isDiskFull } from '../../src/embedded/data-folder.js';
import { makeDataDir, makeSeededDir } from '../helpers/database.js';
import { startService } from '../helpers/service.js';

t.test('a lock is lost with its folder, and what is made there anew is left alone', async (t) => {
  const dataDir = join(await makeDataDir(t), 'data');
  const lock = await lockDataDir(dataDir);
  t.equal(await lock.isLost(), false);
  await rm(dataDir, { recursive: true });
  t.equal(await lock.isLost(), true);
  const next = await lockDataDir(dataDir);
  t.equal(await lock.isLost(), true);
  await lock.release();
  t.equal(await next.isLost(), false);
  await next.release();
});

t.test('a service whose data folder is moved away ends at once, and the database is whole', async (t) => {
  const dataDir = await makeSeededDir(t);
  const service = await startService(t, { DATA_DIR: dataDir }).ready();
  const { body } = await service.call('PUT', '/v1/projects/consilio/services/web');
  const ended = once(service.child, 'exit');
  const moved = `${dataDir}-moved`;
  t.teardown(() => rm(moved, { recursive: true, force: true }));
  await rename(dataDir, moved);
  t.same(await ended, [null, 'SIGKILL']);
  const again = await startService(t, { DATA_DIR: moved }).ready();
  t.equal((await again.call('PUT', '/v1/projects/consilio/services/web')).body.id, body.id);
});

t.test('a full disk is told by Node, and by the file system in the database', (t) => {
  t.ok(isDiskFull(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', errno: -28 })));
  t.ok(isDiskFull({ name: 'ErrnoError', errno: 51 }));
  t.notOk(isDiskFull({ name: 'ErrnoError', errno: 44 }));
  t.notOk(isDiskFull(new Error('no')));
  t.end();
});
