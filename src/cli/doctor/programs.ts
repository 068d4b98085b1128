import { realpath, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { type Finding, right, warning, wrong } from './finding.js';

/** @param required as package.json says it, such as `>=20.19.0` */
export function checkNode(version: string, required: string): Finding {
  const wanted = readVersion(required);
  const index = readVersion(version).findIndex((part, i) => part !== wanted[i]);
  const isOld = index >= 0 && (readVersion(version)[index] as number) < (wanted[index] ?? 0);
  if (!isOld) return right('node', `Node ${version} is new enough.`);
  return wrong('node', `Node ${version} is too old.`, `Install Node ${wanted.join('.')} or newer.`);
}

const readVersion = (text: string): number[] => (/\d+(\.\d+)*/.exec(text)?.[0] ?? '').split('.').map(Number);

/** @param version what `git --version` says; null if there is no git */
export function checkGit(version: string | null): Finding {
  if (version !== null) return right('git', `${version} is there.`);
  return warning(
    'git',
    'git was not found.',
    'Install it, or put it on the PATH. Without it, project and environment are worked out from package.json or the folder.',
  );
}

/** @param onPath the file that a shell would run, with its links followed; null if there is none */
export function checkCommand(name: string, onPath: string | null, own: string): Finding {
  if (onPath === own) return right('command', `${name} on the PATH is this program.`);
  if (onPath === null) {
    return warning(
      'command',
      `${name} is not on the PATH.`,
      'Run npm install --global port-allocator, or call it with npx.',
    );
  }
  const other = `${name} on the PATH is another program or another installation: ${onPath}.`;
  const remedy =
    name === 'pa' ? 'Call this one port-allocator.' : `Remove one of them, or put the folder of ${own} first.`;
  return warning('command', other, remedy);
}

/** Finds what a shell would run. @returns its path with links followed, or null */
export async function findOnPath(name: string, path: string | undefined): Promise<string | null> {
  for (const folder of (path ?? '').split(delimiter).filter((one) => one !== '')) {
    const file = join(folder, name);
    const found = await stat(file).catch(() => null);
    if (found?.isFile() && (found.mode & 0o111) !== 0) return realpath(file);
  }
  return null;
}
