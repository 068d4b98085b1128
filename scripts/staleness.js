import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
/** The dashboard is bundled with its libraries, which the lock file names. */
const OTHERS = [
  'dashboard/index.html',
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.test.json',
  'package-lock.json',
];

/** Whether the service, its scripts, the dashboard or the migrations changed since they were built, with the tests or without. */
export function isBuildStale() {
  return changedSince(Math.max(timeOf('.tsbuildinfo'), timeOf('.built-with-tests')), sourcesOfBuild());
}

/** Whether any of these or a test changed since they were compiled together. */
export function areTestsStale() {
  // Packages of their own, which are not compiled with the tests.
  const packages = ['test/contract-client', 'test/mcp-client-schemas'].map((folder) => join(root, folder));
  const tests = filesIn('test').filter((file) => !packages.some((folder) => file.startsWith(folder)));
  return changedSince(timeOf('.built-with-tests'), [...sourcesOfBuild(), ...tests]);
}

function sourcesOfBuild() {
  const folders = ['src', 'scripts', 'migrations', 'dashboard/src', 'dashboard/styles'];
  return [...folders.flatMap(filesIn), ...OTHERS.map((file) => join(root, file))];
}

function filesIn(folder) {
  return readdirSync(join(root, folder), { recursive: true }).map((file) => join(root, folder, String(file)));
}

/** Zero for what is not in dist/. */
function timeOf(file) {
  return statSync(join(dist, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function changedSince(time, files) {
  return files.some((file) => statSync(file).mtimeMs > time);
}
