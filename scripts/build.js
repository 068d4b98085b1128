// npm run build: builds the service, the command, the scripts, the dashboard and the template of a new database.
// Agents may start several processes at the same time. Therefore each builds into a folder of its own, and then renames
// that folder to dist/. So nothing is left in dist/ of a source that is no longer there, and no process finds half a
// build.
import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const tsc = 'node_modules/typescript/bin/tsc';

/**
 * @param isWanted asked again when the build is done, because another process may have built the same meanwhile
 * @returns whether dist/ is there
 */
export function build(isWanted = () => true) {
  if (![tsc, 'node_modules/esbuild'].every((tool) => existsSync(join(root, tool)))) {
    process.stderr.write(
      'This clone has to be built, and what builds it (TypeScript, esbuild) is not installed.\n' +
        'Run `npm ci` without --omit=dev, and then the same command again.\n',
    );
    return false;
  }
  if (process.stdout.isTTY) process.stderr.write('Building…\n');
  const fresh = `${dist}-${process.pid}`;
  const built =
    run(tsc, '-p', 'tsconfig.build.json', '--outDir', fresh, '--tsBuildInfoFile', join(fresh, '.tsbuildinfo')) &&
    run('scripts/build-command.js', fresh) &&
    run('scripts/build-sdk.js', fresh) &&
    run('scripts/build-dashboard.js', join(fresh, 'dashboard')) &&
    run(join(fresh, 'scripts/make-template.js'), fresh);
  if (built && isWanted()) replaceDist(fresh, isWanted);
  rmSync(fresh, { recursive: true, force: true });
  return built;
}

function run(...command) {
  // The output goes to stderr, because stdout belongs to the program that is started next.
  const stdio = ['ignore', process.stderr, 'inherit'];
  return spawnSync(process.execPath, command, { cwd: root, stdio }).status === 0;
}

function replaceDist(fresh, isWanted) {
  const old = `${fresh}-old`;
  try {
    renameSync(dist, old);
  } catch {
    // There was no dist/, or another process has just renamed it.
  }
  try {
    renameSync(fresh, dist);
  } catch (error) {
    if (isWanted()) throw error;
  }
  rmSync(old, { recursive: true, force: true });
}

if (process.argv[1] === import.meta.filename) process.exitCode = build() ? 0 : 1;
