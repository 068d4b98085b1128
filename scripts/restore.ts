// Puts what `npm run backup` wrote into a data directory that has no database yet: npm run restore -- FILE.
import { restore } from '../src/embedded/backup.js';
import { lockDataDir } from '../src/embedded/data-dir-lock.js';
import { takeOver } from '../src/mcp/peers.js';
import { demandEmbedded, fileArgument, runCommand } from './run-command.js';

await runCommand(async (config, log) => {
  demandEmbedded(config);
  const file = fileArgument('restore');
  const lock = await takeOver(config.dataDir, () => lockDataDir(config.dataDir));
  const held = await restore(config.dataDir, file).finally(() => lock.release());
  log.info({ dataDir: config.dataDir, file, held }, 'Restored');
});
