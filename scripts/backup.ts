// Writes the embedded database into one file: npm run backup -- FILE. What runs on it has to be stopped first, but for
// agents' stdio processes, which give way.
import { backUp } from '../src/embedded/backup.js';
import { lockDataDir } from '../src/embedded/data-dir-lock.js';
import { takeOver } from '../src/mcp/peers.js';
import { demandEmbedded, fileArgument, runCommand } from './run-command.js';

await runCommand(async (config, log) => {
  demandEmbedded(config);
  const file = fileArgument('backup');
  const lock = await takeOver(config.dataDir, () => lockDataDir(config.dataDir));
  await backUp(config.dataDir, file).finally(() => lock.release());
  log.info({ dataDir: config.dataDir, file }, 'Backed up');
});
