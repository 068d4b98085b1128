// Which environments count as left over, and which are released.
import { mkdir, rm, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import { readFolderState } from '../../../src/client/machine/folder-state.js';
import { openShop } from '../../helpers/cli.js';
import { makeDataDir } from '../../helpers/database.js';
import { listen } from '../../helpers/listeners.js';

const { pa, folder, service } = await openShop(t);
/** A range of its own, because this test listens in it while others may run. */
const first = 30_000 + (process.pid % 27) * 100;
await service.call('POST', '/v1/ranges', { project: 'shop', startPort: first });

interface Leftover {
  environment: string;
  reason: string;
  ports: number[];
  listening: boolean;
  released: boolean;
}

const gc = async (...options: string[]): Promise<Leftover[]> =>
  JSON.parse((await pa(['gc', '--json', ...options])).stdout);
const heldIn = async (environment: string): Promise<number[]> =>
  (await service.call('GET', `/v1/allocations?environment=${environment}`)).body.items.map(
    ({ port }: { port: number }) => port,
  );

async function allocateIn(environment: string, path: string | null): Promise<void> {
  const body = { services: [{ service: 'web' }], ...(path !== null && { path }) };
  const { status } = await service.call('PUT', `/v1/projects/shop/environments/${environment}`, body);
  if (status !== 201) throw new Error(`${environment}: ${status}`);
}

t.test('environments whose folder was removed are reported, and released with --yes', async (t) => {
  const trees = join(dirname(folder), 'trees');
  for (const name of ['kept', 'removed', 'busy']) {
    await mkdir(join(trees, name), { recursive: true });
    await allocateIn(name, join(trees, name));
  }
  await allocateIn('unmounted', '/nosuch-parent/unmounted');
  await allocateIn('without-folder', null);
  t.match(await pa(['gc']), { code: 0, stdout: '', stderr: 'There is nothing to release.\n' });

  for (const name of ['removed', 'busy']) await rm(join(trees, name), { recursive: true });
  const [busy = 0] = await heldIn('busy');
  await listen(t, '127.0.0.1', busy);
  const [removed = 0] = await heldIn('removed');
  const report = [
    { environment: 'busy', reason: 'folder-removed', ports: [busy], listening: true, released: false },
    { environment: 'removed', reason: 'folder-removed', ports: [removed], listening: false, released: false },
  ];
  t.match(await gc(), report);
  t.match(await pa(['gc']), {
    stdout: /^PROJECT .*\nshop +busy +1 {2}its folder was removed {2}kept: somebody listens {2}.*\nshop +removed /,
    stderr: 'Nothing was changed. pa gc --yes releases those where nobody listens.\n',
  });
  t.same(await heldIn('removed'), [removed]);
  t.match(await gc('--yes'), [report[0], { ...report[1], released: true }]);
  t.same([await heldIn('removed'), await heldIn('busy'), (await heldIn('kept')).length], [[], [busy], 1]);
});

t.test('an environment that no audit has found in use is left out unless --unused is given', async (t) => {
  await allocateIn('old', null);
  const names = (found: Leftover[]) => found.filter(({ reason }) => reason === 'unused').map((one) => one.environment);
  t.same(names(await gc()), []);
  t.same(names(await gc('--unused', '1d')), []);
  t.same(names(await gc('--unused', '0', '--environment', 'old')), ['old']);
  await gc('--unused', '0', '--environment', 'old', '--yes');
  t.same(await heldIn('old'), []);
  t.match(await pa(['gc', '--unused', 'long']), { code: 2, stderr: /^--unused "long" is no length of time\.\n/ });
});

t.test('a folder counts as removed only if its parent has changed since it was seen', async (t) => {
  const parent = await makeDataDir(t);
  const path = join(parent, 'shop');
  await mkdir(path);
  const seenAt = new Date(Date.now() + 10);
  t.equal(await readFolderState(path, seenAt), 'there');
  await new Promise((resolve) => setTimeout(resolve, 20));
  await rm(path, { recursive: true });
  t.equal(await readFolderState(path, seenAt), 'removed');
  // As the empty folder on which a disk was mounted, which nobody has touched since.
  await utimes(parent, new Date(0), new Date(0));
  t.equal(await readFolderState(path, seenAt), 'unknown');
  // As one that was made anew when the disk was unmounted.
  t.equal(await readFolderState(join(await makeDataDir(t), 'shop'), seenAt), 'unknown');
  t.equal(await readFolderState(join(path, 'deeper'), seenAt), 'unknown', 'the parent is gone as well');
  t.equal(await readFolderState('/media/me/disk', seenAt), 'unknown');
  t.equal(await readFolderState('C:\\shop', seenAt), 'unknown');
});
