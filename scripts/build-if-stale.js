// Builds the project if a source is newer than the last build, so that `npm ci` and `npm start` are enough to run it.
// Agents may start several processes at the same time. Therefore each builds into a folder of its own, and then renames
// that folder to dist/.
import { spawnSync } from 'node:child_process';
import { renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isBuildStale } from './staleness.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

if (isBuildStale()) {
  const fresh = `${dist}-${process.pid}`;
  const built =
    run(
      join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
      ...['-p', join(root, 'tsconfig.build.json'), '--outDir', fresh],
      ...['--tsBuildInfoFile', join(fresh, '.tsbuildinfo')],
    ) && run(join(root, 'scripts', 'build-dashboard.js'), join(fresh, 'dashboard'));
  process.exitCode = built ? 0 : 1;
  if (built) replaceDist(fresh);
  rmSync(fresh, { recursive: true, force: true });
}

function run(...command) {
  // The output goes to stderr, because stdout belongs to the program that is started next.
  return spawnSync(process.execPath, command, { stdio: ['ignore', process.stderr, 'inherit'] }).status === 0;
}

/** Renames the new build to dist/, unless another process has done so with its own build of the same sources. */
function replaceDist(fresh) {
  if (!isBuildStale()) return;
  const old = `${fresh}-old`;
  try {
    renameSync(dist, old);
  } catch {
    // There was no dist/, or another process has just renamed it.
  }
  try {
    renameSync(fresh, dist);
  } catch (error) {
    if (isBuildStale()) throw error;
  }
  rmSync(old, { recursive: true, force: true });
}
