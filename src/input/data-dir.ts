import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/**
 * Finds the folder of the embedded database: DATA_DIR, or `port-allocator` in the user's folder for data, which is that
 * of the XDG Base Directory Specification on Linux, and its counterpart on macOS and Windows.
 *
 * A path that is not absolute is refused, because processes that are started in different folders would then use
 * different registries, and give out the same port twice. The XDG specification asks programs to ignore such a path in
 * XDG_DATA_HOME. It is refused all the same: another process of the user, which was started by a shell that replaced
 * `~`, would use another registry.
 *
 * On PostgreSQL only the command that moves a registry there needs the folder. A default that cannot be used is no
 * problem then, because the user of a container may have no home folder; `dataDir` is empty in that case.
 */
export function findDataDir(variables: Record<string, string | undefined>): { dataDir: string; problems: string[] } {
  const { DATA_DIR, XDG_DATA_HOME, DATABASE_URL } = variables;
  if (DATA_DIR !== undefined) return { dataDir: resolve(DATA_DIR), problems: checkPath('DATA_DIR', DATA_DIR) };
  const [name, folder] =
    XDG_DATA_HOME === undefined ? findUserData(variables) : (['XDG_DATA_HOME', XDG_DATA_HOME] as const);
  const problems = folder === null ? [`${name}: this user has no home folder; set DATA_DIR`] : checkPath(name, folder);
  if (folder === null || problems.length > 0)
    return { dataDir: '', problems: DATABASE_URL === undefined ? problems : [] };
  return { dataDir: join(folder, 'port-allocator'), problems };
}

/** @returns a line for a path that is not absolute */
export function checkPath(name: string, path: string): string[] {
  if (isAbsolute(path)) return [];
  const given = `${name}: ${JSON.stringify(path)} is no absolute path`;
  if (/^~($|[/\\])/.test(path)) {
    const home = homeFolder();
    const meant = home === null ? '' : `, such as ${join(home, path.slice(1))}`;
    return [`${given}: only a shell replaces ~. Write the whole path${meant}`];
  }
  return [`${given}, and would be another one in each folder that a process is started in. Write the whole path`];
}

/** @returns the folder, and the variable that it comes from */
function findUserData({ LOCALAPPDATA }: Record<string, string | undefined>): [string, string | null] {
  const home = homeFolder();
  if (process.platform === 'win32') {
    if (LOCALAPPDATA !== undefined) return ['LOCALAPPDATA', LOCALAPPDATA];
    return ['USERPROFILE', home && join(home, 'AppData', 'Local')];
  }
  if (process.platform === 'darwin') return ['HOME', home && join(home, 'Library', 'Application Support')];
  return ['HOME', home && join(home, '.local', 'share')];
}

/** Returns null for a user without a home folder, as in a container that runs as an unknown number. */
function homeFolder(): string | null {
  try {
    return homedir() || null;
  } catch {
    return null;
  }
}
