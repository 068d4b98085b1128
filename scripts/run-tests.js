// npm test: compiles the service together with its tests, and then is dist/scripts/test/index.js, in this very process. To build
// the service first, as run.js does, would compile it twice.
import { spawnSync } from 'node:child_process';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { areTestsStale } from './staleness.js';
import './stop-with-parent.js';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

if (areTestsStale()) {
  const start = new Date(); // what changes from now on may not be in it
  process.exitCode =
    // Types are what `npm run types` checks; here that would make a fresh clone wait three times as long.
    run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json', '--noCheck') ||
    run('scripts/build-command.js', 'dist') ||
    run('scripts/build-sdk.js', 'dist') ||
    run('scripts/build-dashboard.js', 'dist/dashboard') ||
    run('dist/scripts/make-template.js', 'dist');
  if (process.exitCode === 0) {
    const stamp = join(dist, '.built-with-tests');
    writeFileSync(stamp, '');
    utimesSync(stamp, start, start);
  }
}

if (!process.exitCode) {
  process.argv[1] = join(dist, 'scripts/test/index.js');
  await import(pathToFileURL(process.argv[1]).href);
}

function run(...command) {
  return spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' }).status ?? 1;
}
