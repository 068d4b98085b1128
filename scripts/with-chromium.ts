// with-chromium COMMAND...: runs a command with CHROMIUM set to a browser that starts: the one that is set, the one on the
// PATH, the one that npm installed, or, where that one misses libraries of the system, Debian's.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import chromium from '@sparticuz/chromium';

const [command = '', ...args] = process.argv.slice(2);
const browser = await findBrowser();
if (browser === null) {
  process.stderr.write('No browser: set CHROMIUM to one, or put chromium on the PATH.\n');
  process.exit(1);
}
process.stderr.write(`The browser for the tests: ${versionOf(browser)} (${browser})\n`);
const { status } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, CHROMIUM: browser } });
process.exitCode = status ?? 1;

async function findBrowser(): Promise<string | null> {
  const given = process.env.CHROMIUM ?? findOnPath();
  if (given) return given;
  const bundled = await chromium.executablePath().catch(() => null);
  if (bundled !== null && versionOf(bundled)) return bundled;
  installDebians();
  return findOnPath();
}

function findOnPath(): string | null {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, 'chromium')).find(existsSync) ?? null;
}

/** Null for what does not start. */
function versionOf(path: string): string | null {
  const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

function installDebians(): void {
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'chromium']]) {
    const { error, stderr } = spawnSync('apt-get', ['-qq', ...args], { encoding: 'utf8' });
    if (error || stderr) process.stderr.write(`apt-get ${args[0]}: ${error?.message ?? stderr}\n`);
  }
}
