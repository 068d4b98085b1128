import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Unpacks Debian packages, and what they depend on that is not installed, into a folder: nothing is installed, and no daemon
 * starts.
 * @returns the environment in which their programs are found and run
 * @throws with what to install by hand, where apt-get does not get them
 */
export function unpackDebianPackages(folder: string, names: string[]): { PATH: string; LD_LIBRARY_PATH: string } {
  const archives = join(folder, 'archives');
  mkdirSync(join(archives, 'partial'), { recursive: true });
  for (const path of [folder, archives, join(archives, 'partial')]) chmodSync(path, 0o777); // apt downloads as a user of its own
  const download = () =>
    apt(
      'install',
      '-y',
      '--reinstall',
      '--download-only',
      '--no-install-recommends',
      '-o',
      `Dir::Cache::Archives=${archives}`,
      ...names,
    );
  try {
    try {
      download();
    } catch {
      apt('update'); // its lists are missing, or older than the archive
      download();
    }
  } catch (error) {
    throw new Error(`Put the programs of ${names.join(', ')} on the PATH; apt-get did not get them: ${error}`);
  }
  for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb'))) {
    execFileSync('dpkg', ['-x', join(archives, file), folder]);
  }
  const postgres = [folder, '/'].flatMap((root) => subfolders(join(root, 'usr/lib/postgresql')));
  const programs = [
    ...postgres.map((version) => join(version, 'bin')),
    join(folder, 'usr/sbin'),
    join(folder, 'usr/bin'),
  ];
  const libraries = subfolders(join(folder, 'usr/lib')).filter((path) => path.endsWith('-linux-gnu'));
  return {
    PATH: [...programs, process.env.PATH].join(delimiter),
    LD_LIBRARY_PATH: libraries.join(delimiter),
  };
}

function subfolders(path: string): string[] {
  return existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : [];
}

/** Without apt's locks: what is installed stays as it is. */
function apt(...args: string[]): void {
  execFileSync('apt-get', ['-qq', '-o', 'Debug::NoLocking=1', ...args], { stdio: 'pipe' });
}
