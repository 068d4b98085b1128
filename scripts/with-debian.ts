// with-debian PACKAGE PROGRAM COMMAND...: runs a command that finds a program: the one on the PATH, else that of Debian's
// package, unpacked into a folder of its own, so that no daemon is installed.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const [debianPackage = '', program = '', command = '', ...args] = process.argv.slice(2);
let folder: string | null = null;
if (spawnSync(program, ['--version']).error) {
  folder = mkdtempSync(join(tmpdir(), `${debianPackage}-`));
  chmodSync(folder, 0o777); // apt downloads as a user of its own
  try {
    unpack(folder);
  } catch (error) {
    rmSync(folder, { recursive: true });
    process.stderr.write(`Put ${program} on the PATH; apt-get did not get it: ${error}\n`);
    process.exit(1);
  }
  process.env.PATH = [join(folder, 'usr/bin'), join(folder, 'usr/sbin'), process.env.PATH].join(delimiter);
}
const { status } = spawnSync(command, args, { stdio: 'inherit' });
if (folder) rmSync(folder, { recursive: true });
process.exitCode = status ?? 1;

function unpack(cwd: string): void {
  const download = () => execFileSync('apt-get', ['download', '-qq', debianPackage], { cwd, stdio: 'pipe' });
  try {
    download();
  } catch {
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'pipe' });
    download();
  }
  const [deb = ''] = readdirSync(cwd).filter((name) => name.endsWith('.deb'));
  execFileSync('dpkg', ['-x', deb, '.'], { cwd });
}
