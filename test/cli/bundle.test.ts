// The files that are published, dist/bin, against the modules that they are made of, which the other tests run.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { packageRoot } from '../../src/package-root.js';
import { callCli } from '../helpers/cli.js';
import { makeDataDir } from '../helpers/database.js';

const BUNDLE = join(packageRoot, 'dist/bin/port-allocator.cjs');

t.test('the bundled command does what its modules do, with a manifest and with the service', async (t) => {
  const folder = await makeDataDir(t);
  await writeFile(join(folder, 'ports.yaml'), 'project: shop\nservices:\n  web: {}\n');
  const variables = { PORT_ALLOCATOR_DATA_DIR: await makeDataDir(t) };
  const run = (...args: string[]) =>
    execFileSync(BUNDLE, args, { cwd: folder, env: { PATH: process.env.PATH, ...variables }, encoding: 'utf8' });
  const port = run('port');
  t.teardown(() => run('stop'));
  t.match(port, /^\d+\n$/);
  t.match(await callCli(['port'], { folder, variables }), { code: 0, stdout: port });
  for (const args of [['--version'], ['--help'], ['ls', '--json'], ['who', port.trim()]]) {
    t.equal(run(...args), (await callCli(args, { folder, variables })).stdout, args.join(' '));
  }
  const print = 'console.log(process.env.PORT)';
  t.equal(run('run', 'web', '--', process.execPath, '-e', print), port);
});

t.test('what the bundled command refuses has the exit code and the two lines of a failure', async (t) => {
  const variables = { PORT_ALLOCATOR_DATA_DIR: await makeDataDir(t) };
  const args = ['--project', 'a/b', 'port'];
  const env = { PATH: process.env.PATH, ...variables };
  const { code, stdout, stderr } = await callCli(args, { variables });
  t.equal(code, 2);
  t.match(spawnSync(BUNDLE, args, { env, encoding: 'utf8' }), { status: code, stdout, stderr });
});
