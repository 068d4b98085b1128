// with-prometheus COMMAND...: runs a command that finds prometheus and promtool: those on the PATH, else Debian's, unpacked
// into a folder of its own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackDebianPackages } from './debian-packages.js';

const [command = '', ...args] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'prometheus-'));
try {
  if (spawnSync('promtool', ['--version']).error)
    Object.assign(process.env, unpackDebianPackages(folder, ['prometheus']));
  process.exitCode = spawnSync(command, args, { stdio: 'inherit' }).status ?? 1;
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
