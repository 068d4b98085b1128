// npm run dev: runs the service, and on every change of src/ or dashboard/ builds what changed and starts the service
// again. While a source has errors, the service goes on as it was.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import './build-if-stale.js';
import './stop-with-parent.js';

/** An editor that saves a file makes several changes at once. */
const SETTLE_MS = 100;

const root = join(import.meta.dirname, '..');
let service = null;
let ended = false;
let lastRestart = Promise.resolve();

process.exitCode = 0; // a build that failed is told, and mended while this runs
watchSources();
watchDashboard();
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) process.once(signal, end);

function watchSources() {
  const say = (diagnostic, _newLine, _options, errors) => {
    process.stderr.write(`${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}\n`);
    if (errors === 0 && run('build-command.js', 'dist')) restart();
  };
  const createProgram = ts.createEmitAndSemanticDiagnosticsBuilderProgram;
  const config = join(root, 'tsconfig.build.json');
  ts.createWatchProgram(ts.createWatchCompilerHost(config, {}, ts.sys, createProgram, undefined, say));
}

function watchDashboard() {
  let settling;
  watch(join(root, 'dashboard'), { recursive: true }, (_event, file) => {
    if (file?.startsWith('generated')) return; // types alone, which are not bundled
    clearTimeout(settling);
    settling = setTimeout(() => {
      if (run('build-dashboard.js', 'dist/dashboard')) restart();
    }, SETTLE_MS);
  });
}

function run(script, folder) {
  const build = [join(root, 'scripts', script), join(root, folder)];
  return spawnSync(process.execPath, build, { stdio: 'inherit' }).status === 0;
}

function restart() {
  lastRestart = lastRestart.then(async () => {
    await stop();
    if (!ended) service = start();
  });
}

function start() {
  const importing = ['--import', new URL('stop-with-parent.js', import.meta.url).href];
  // In a process group of its own: a Ctrl-C would reach it beside the signal from here, and a second signal ends it
  // before it has finished what is in flight.
  return spawn(process.execPath, [...importing, join(root, 'dist/src/main.js')], { stdio: 'inherit', detached: true });
}

async function stop() {
  if (service === null || service.exitCode !== null || service.signalCode !== null) return;
  service.kill('SIGTERM');
  await once(service, 'exit');
}

async function end() {
  ended = true;
  await lastRestart;
  await stop();
  process.exit();
}
