// npm run backup -- FILE: writes the embedded database into one file. A service that uses the database must be stopped
// first. The stdio processes of agents need not be: they release the database when asked.
import { backUp } from '../src/embedded/backup.js';
import { lockDataDir } from '../src/embedded/data-dir-lock.js';
import { takeOver } from '../src/mcp/peers.js';
import { fileArgument, requireEmbedded, runCommand } from './run-command.js';

await runCommand(async (config, log) => {
  requireEmbedded(config);
  const file = fileArgument('backup');
  const lock = await takeOver(config.dataDir, () => lockDataDir(config.dataDir));
  await backUp(config.dataDir, file).finally(() => lock.release());
  log.info({ dataDir: config.dataDir, file }, 'Backed up');
});
