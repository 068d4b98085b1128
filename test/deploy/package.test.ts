// The package as it would be published from a checkout that was never built.
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { packageRoot } from '../../src/package-root.js';

t.setTimeout(240_000);

t.test('`npm pack` builds first, so that the package has the command that it names', async (t) => {
  const clone = await mkdtemp(join(tmpdir(), 'port-allocator-pack-'));
  t.teardown(() => rm(clone, { recursive: true, force: true }));
  for (const name of await readdir(packageRoot)) {
    if (/^(node_modules|dist|\.)/.test(name)) continue;
    await cp(join(packageRoot, name), join(clone, name), { recursive: true });
  }
  await symlink(join(packageRoot, 'node_modules'), join(clone, 'node_modules'));
  execFileSync('npm', ['pack', '--pack-destination', clone], { cwd: clone, stdio: 'ignore' });
  const archive = (await readdir(clone)).find((name) => name.endsWith('.tgz')) as string;
  const files = execFileSync('tar', ['-tzf', join(clone, archive)], { encoding: 'utf8' }).split('\n');
  for (const file of ['dist/src/mcp/stdio.js', 'dist/src/main.js', 'openapi/openapi.json']) {
    t.ok(files.includes(`package/${file}`), file);
  }
});
