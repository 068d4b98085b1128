// with-prometheus COMMAND...: runs a command that finds prometheus and promtool: those on the PATH, else Debian's, unpacked
// into a folder of its own, so that no daemon is installed.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const [command = '', ...args] = process.argv.slice(2);
let folder: string | null = null;
if (spawnSync('promtool', ['--version']).error) {
  folder = mkdtempSync(join(tmpdir(), 'prometheus-'));
  chmodSync(folder, 0o777); // apt downloads as a user of its own
  try {
    unpack(folder);
  } catch (error) {
    rmSync(folder, { recursive: true });
    process.stderr.write(`Put prometheus and promtool on the PATH; apt-get did not get them: ${error}\n`);
    process.exit(1);
  }
  process.env.PATH = `${join(folder, 'usr/bin')}${delimiter}${process.env.PATH}`;
}
const { status } = spawnSync(command, args, { stdio: 'inherit' });
if (folder) rmSync(folder, { recursive: true });
process.exitCode = status ?? 1;

function unpack(cwd: string): void {
  const download = () => execFileSync('apt-get', ['download', '-qq', 'prometheus'], { cwd, stdio: 'pipe' });
  try {
    download();
  } catch {
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'pipe' });
    download();
  }
  const [deb = ''] = readdirSync(cwd).filter((name) => name.endsWith('.deb'));
  execFileSync('dpkg', ['-x', deb, '.'], { cwd });
}
