import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Provided } from './suites.js';

const BIN_FOLDERS = ['usr/sbin', 'usr/bin', 'usr/lib/postgresql/15/bin'];

/**
 * A PATH with these programs: the machine's own, else Debian's, unpacked with what they depend on into a folder of its
 * own. Nothing is installed, so that no daemon starts.
 * @param packages by program, the Debian package that has it
 */
export async function provideDebianPrograms(packages: Record<string, string>): Promise<Provided> {
  const path = joinPaths(process.env.PATH, ...BIN_FOLDERS.map((folder) => `/${folder}`));
  const missing = Object.keys(packages).filter(
    (program) => !path.split(delimiter).some((folder) => existsSync(join(folder, program))),
  );
  if (missing.length === 0) return { variables: { PATH: path }, async stop() {} };
  const folder = unpack(missing, packages);
  const libraries = join(folder, 'usr/lib', `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`);
  return {
    variables: {
      PATH: joinPaths(...BIN_FOLDERS.map((name) => join(folder, name)), path),
      LD_LIBRARY_PATH: joinPaths(libraries, process.env.LD_LIBRARY_PATH),
      PYTHONPATH: joinPaths(join(folder, 'usr/lib/python3/dist-packages'), process.env.PYTHONPATH),
    },
    async stop() {
      rmSync(folder, { recursive: true });
    },
  };
}

function joinPaths(...paths: (string | undefined)[]): string {
  return paths.filter(Boolean).join(delimiter);
}

function unpack(missing: string[], packages: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'debian-packages-'));
  chmodSync(folder, 0o755); // servers that refuse to run as root read it as another user
  try {
    download(folder, [...new Set(missing.map((program) => packages[program] ?? program))]);
    for (const deb of readdirSync(folder).filter((name) => name.endsWith('.deb'))) {
      execFileSync('dpkg', ['-x', join(folder, deb), folder]);
    }
    return folder;
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw new Error(`Put ${missing.join(', ')} on the PATH; apt-get did not get them: ${error}`);
  }
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
