// The service. `main.js` runs it in the foreground, configured by the environment and the file .env. `main.js
// --background` is what a client starts where none runs (embedded/background.ts): for the data folder of DATA_DIR,
// and with no other setting, because the environment is that of whoever happened to need a port.
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { redactKeys } from './access/redact.js';
import { ALREADY_HELD } from './embedded/background.js';
import { DataDirLockedError, lockUnlessAwaited } from './embedded/data-dir-lock.js';
import { StartError } from './errors.js';
import { findDataDir } from './input/data-dir.js';
import { exit } from './process/ending.js';
import { openLog, openServiceLog } from './process/log.js';
import { describeStart, formatForTerminal } from './process/terminal.js';
import { describeStartError } from './start-error.js';

const IDLE_SECONDS = 600;

async function main(): Promise<void> {
  const { background, idleMs } = readArguments(process.argv.slice(2));
  if (background) return serveInBackground(idleMs);
  const { loadConfig, serve } = await loadService();
  const config = loadConfig(process.env, { dotenv: true });
  const format = await formatForTerminal();
  const log = openLog(config.logLevel, 1, redactKeys(config.adminApiKey), format);
  const url = await serve(config, log, { kind: 'foreground' });
  if (url !== null && format !== null) log.info(describeStart(url, config));
}

async function serveInBackground(idleMs: number): Promise<void> {
  process.stderr.on('error', () => {}); // the client that reads it may have ended
  const { DATA_DIR } = process.env;
  const { dataDir, problems } = findDataDir({ DATA_DIR });
  if (problems.length > 0) throw new StartError(problems.join('\n'));
  // The lock comes before the service is loaded, which takes a second of processor time. When ten clients start one at the
  // same time, nine of these processes end at once, and do not slow down the tenth.
  const lock = await lockUnlessAwaited(dataDir);
  const { loadConfig, serve } = await loadService();
  const config = loadConfig({ DATA_DIR });
  const log = await openServiceLog(config.dataDir, config.logLevel, redactKeys(null));
  await serve(config, log, { kind: 'background', idleMs, lock }).catch((error: unknown) => {
    log.fatal({ err: error }, 'Could not start');
    throw error;
  });
}

/**
 * Loads the service with `require`, which reads one file after another. `import` opens hundreds of files at the same
 * time, and fails in a process that may have no more than 400 open. Both take the same time.
 */
async function loadService(): Promise<
  Pick<typeof import('./config.js') & typeof import('./serve.js'), 'loadConfig' | 'serve'>
> {
  // Node 22 can do it from 22.12 on.
  if (!process.features.require_module) return { ...(await import('./config.js')), ...(await import('./serve.js')) };
  const require = createRequire(import.meta.url);
  return { ...require('./config.js'), ...require('./serve.js') };
}

function readArguments(args: string[]): { background: boolean; idleMs: number } {
  try {
    const { values } = parseArgs({
      args,
      options: { background: { type: 'boolean', default: false }, 'idle-seconds': { type: 'string' } },
    });
    const idleSeconds = Number(values['idle-seconds'] ?? IDLE_SECONDS);
    if (!(idleSeconds > 0)) throw new TypeError(`--idle-seconds: ${values['idle-seconds']} is no number of seconds`);
    return { background: values.background, idleMs: idleSeconds * 1000 };
  } catch (error) {
    throw new StartError((error as Error).message);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${describeStartError(error)}\n`);
  return exit(error instanceof DataDirLockedError && process.argv.includes('--background') ? ALREADY_HELD : 1);
});
