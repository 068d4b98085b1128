import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** The scripts that start something that listens. */
const STARTING = ['dev', 'start', 'serve'];

/**
 * Finds what of a folder's package.json listens: each package of its workspaces with a script that starts something, or
 * else the package itself, as `web`.
 */
export function readPackageServices(folder: string): string[] {
  const root = readPackage(folder);
  if (root === null) return [];
  const members = listWorkspaces(folder, root.workspaces).flatMap((member) => {
    const found = readPackage(member);
    return found && startsSomething(found) ? [found.name?.replace(/^@[^/]*\//, '') ?? basename(member)] : [];
  });
  if (members.length > 0) return members;
  return startsSomething(root) ? ['web'] : [];
}

/** Finds the processes of a Procfile that use the port they are given, and the one that is called web. */
export function readProcfileServices(folder: string): string[] {
  const file = join(folder, 'Procfile');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split(/\r?\n/)
    .flatMap((line) => {
      const [, name, command] = /^([A-Za-z0-9_-]+):\s*(.+)$/.exec(line) ?? [];
      return name && (name === 'web' || /\$\{?PORT\b/.test(command ?? '')) ? [name] : [];
    });
}

interface Package {
  name?: string | undefined;
  scripts: object;
  workspaces: string[];
}

const startsSomething = ({ scripts }: Package): boolean => STARTING.some((script) => script in scripts);

/** @returns null if there is none that could be read */
function readPackage(folder: string): Package | null {
  try {
    const { name, scripts, workspaces } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const patterns = Array.isArray(workspaces) ? workspaces : workspaces?.packages;
    return {
      name: typeof name === 'string' ? name : undefined,
      scripts: typeof scripts === 'object' && scripts !== null ? scripts : {},
      workspaces: Array.isArray(patterns) ? patterns.filter((one) => typeof one === 'string') : [],
    };
  } catch {
    return null;
  }
}

/** The folders of the workspaces. Of the patterns, names and `apps/*` are known, which is what nearly all are. */
function listWorkspaces(folder: string, patterns: string[]): string[] {
  return patterns.flatMap((pattern) => {
    if (!pattern.endsWith('/*')) return pattern.includes('*') ? [] : [join(folder, pattern)];
    const parent = join(folder, pattern.slice(0, -2));
    if (pattern.slice(0, -2).includes('*') || !existsSync(parent)) return [];
    const folders = readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return folders.map(({ name }) => join(parent, name)).sort();
  });
}
