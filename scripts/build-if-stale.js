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
  // stdout belongs to the program that is started next.
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
      ...['-p', join(root, 'tsconfig.build.json'), '--outDir', fresh],
      ...['--tsBuildInfoFile', join(fresh, '.tsbuildinfo')],
    ],
    { stdio: ['ignore', process.stderr, 'inherit'] },
  );
  process.exitCode = status ?? 1;
  if (status === 0) swap(fresh);
  rmSync(fresh, { recursive: true, force: true });
}

function isStale() {
  const sources = ['src', 'scripts'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((file) => join(root, folder, String(file))),
  );
  const built = statSync(join(dist, '.tsbuildinfo'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return [...sources, join(root, 'tsconfig.json'), join(root, 'tsconfig.build.json')].some(
    (file) => statSync(file).mtimeMs > built,
  );
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
