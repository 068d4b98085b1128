// debian-packages PROGRAM=PACKAGE[,PACKAGE]... -- COMMAND...: runs a command that finds these programs: those on the
// PATH, else Debian's, unpacked with what they depend on into a folder of its own, so that no daemon is installed.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const BIN_FOLDERS = ['usr/sbin', 'usr/bin', 'usr/lib/postgresql/15/bin'];

const separator = process.argv.indexOf('--');
const wanted = process.argv.slice(2, separator).map((argument) => argument.split('=') as [string, string]);
const [command = '', ...args] = process.argv.slice(separator + 1);
const path = `${process.env.PATH}${delimiter}${BIN_FOLDERS.map((folder) => `/${folder}`).join(delimiter)}`;
const missing = wanted.filter(
  ([program]) => !path.split(delimiter).some((folder) => existsSync(join(folder, program))),
);
process.env.PATH = path;
const folder = missing.length > 0 ? unpackAll(missing.flatMap(([, packages]) => packages.split(','))) : null;
const child = spawn(command, args, { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
child.on('close', (status, signal) => {
  if (folder) rmSync(folder, { recursive: true });
  process.exitCode = status ?? 128 + (signal ? constants.signals[signal] : 0);
});

function unpackAll(packages: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'debian-packages-'));
  chmodSync(folder, 0o755); // servers that refuse to run as root read it as another user
  try {
    download(folder, packages);
    for (const deb of readdirSync(folder).filter((name) => name.endsWith('.deb'))) {
      execFileSync('dpkg', ['-x', join(folder, deb), folder]);
    }
  } catch (error) {
    rmSync(folder, { recursive: true });
    process.stderr.write(
      `Put ${missing.map(([program]) => program)} on the PATH; apt-get did not get them: ${error}\n`,
    );
    process.exit(1);
  }
  const libraries = join(folder, 'usr/lib', `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`);
  const prepend = (name: string, ...paths: string[]) => {
    process.env[name] = [...paths, ...(process.env[name] ? [process.env[name]] : [])].join(delimiter);
  };
  prepend('PATH', ...BIN_FOLDERS.map((name) => join(folder, name)));
  prepend('LD_LIBRARY_PATH', libraries);
  prepend('PYTHONPATH', join(folder, 'usr/lib/python3/dist-packages'));
  return folder;
}

/** The packages and all of their dependencies that this machine lacks; nothing is installed. */
function download(folder: string, packages: string[]): void {
  mkdirSync(join(folder, 'partial'));
  const options = ['-o', 'Debug::NoLocking=1', '-o', `Dir::Cache::archives=${folder}`, '-o', 'APT::Sandbox::User=root'];
  const install = ['--no-install-recommends', '--download-only', 'install', ...packages];
  const get = () => execFileSync('apt-get', ['-y', '-qq', ...options, ...install], { stdio: 'pipe' });
  try {
    get();
  } catch {
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'pipe' });
    get();
  }
}
