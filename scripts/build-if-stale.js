// Builds when a source is newer than the last build, so that `npm ci` and `npm start` are all it takes.
// Several processes may do so at once (agents that start together): each builds beside, and then swaps.
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
  if (built) swap(fresh);
  rmSync(fresh, { recursive: true, force: true });
}

function run(...command) {
  // stdout belongs to the program that is started next.
  return spawnSync(process.execPath, command, { stdio: ['ignore', process.stderr, 'inherit'] }).status === 0;
}

function isStale() {
  const sources = ['src', 'scripts', 'dashboard/src', 'dashboard/styles'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((file) => join(root, folder, String(file))),
  );
  const built = statSync(join(dist, '.tsbuildinfo'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  // The lock file, since the dashboard's libraries are bundled with it.
  const others = ['dashboard/index.html', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
  return [...sources, ...others.map((file) => join(root, file))].some((file) => statSync(file).mtimeMs > built);
}

/** Someone else's build of the same sources may have come first, and is as good. */
function swap(fresh) {
  if (!isStale()) return;
  const old = `${fresh}-old`;
  try {
    renameSync(dist, old);
  } catch {
    // there was none, or someone else has just taken it away
  }
  try {
    renameSync(fresh, dist);
  } catch (error) {
    if (isStale()) throw error;
  }
  rmSync(old, { recursive: true, force: true });
}
