// npm run restore -- FILE: restores a file that `npm run backup` wrote, into a data directory without a database.
import { restore } from '../src/embedded/backup.js';
import { lockDataDir } from '../src/embedded/data-dir-lock.js';
import { takeOver } from '../src/mcp/peers.js';
import { fileArgument, requireEmbedded, runCommand } from './run-command.js';

await runCommand(async (config, log) => {
  requireEmbedded(config);
  const file = fileArgument('restore');
  const lock = await takeOver(config.dataDir, () => lockDataDir(config.dataDir));
  const held = await restore(config.dataDir, file).finally(() => lock.release());
  log.info({ dataDir: config.dataDir, file, held }, 'Restored');
});
