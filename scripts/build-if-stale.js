// Builds the project if a source is newer than the last build, so that `npm ci` and `npm start` are enough to run it.
// Agents may start several processes at the same time. Therefore each builds into a folder of its own, and then renames
// that folder to dist/.
import { spawnSync } from 'node:child_process';
import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

if (isStale()) {
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

function isStale() {
  const sources = ['src', 'scripts', 'dashboard/src', 'dashboard/styles'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((file) => join(root, folder, String(file))),
  );
  const built = statSync(join(dist, '.tsbuildinfo'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  // The lock file counts as a source, because the dashboard's libraries are bundled with the dashboard.
  const others = ['dashboard/index.html', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
  return [...sources, ...others.map((file) => join(root, file))].some((file) => statSync(file).mtimeMs > built);
}

/** Renames the new build to dist/, unless another process has done so with its own build of the same sources. */
function replaceDist(fresh) {
  if (!isStale()) return;
  const old = `${fresh}-old`;
  try {
    renameSync(dist, old);
  } catch {
    // There was no dist/, or another process has just renamed it.
  }
  try {
    renameSync(fresh, dist);
  } catch (error) {
    if (isStale()) throw error;
  }
  rmSync(old, { recursive: true, force: true });
}
