import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { makeSeededDir } from '../helpers/database.js';
import { diagnose } from '../helpers/diagnose.js';
import { makeFolder } from '../helpers/folder.js';
import { startService } from '../helpers/service.js';

const linux = { skip: process.platform !== 'linux' };

t.test('a service whose socket is gone, or that hangs, is told as that', linux, async (t) => {
  const folder = await makeFolder(t);
  const dataDir = await makeSeededDir(t);
  const variables = { PORT_ALLOCATOR_DATA_DIR: dataDir };
  const service = await startService(t, { DATA_DIR: dataDir }).ready();
  t.match((await diagnose(t, variables, folder)).of('service'), [
    { level: 'right', detail: `pid ${service.child.pid}` },
  ]);
  service.child.kill('SIGSTOP');
  t.match((await diagnose(t, variables, folder)).of('service'), [{ level: 'wrong', detail: /does not answer/ }]);
  service.child.kill('SIGCONT');
  await rm(join(dataDir, 'socket'));
  t.match((await diagnose(t, variables, folder)).of('service'), [
    { level: 'wrong', detail: /cannot be reached from here/ },
  ]);
});
