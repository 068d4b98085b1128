import type { Command } from 'commander';
import { operate, resolveFile } from './operation.js';

export function registerRestore(program: Command): void {
  program
    .command('restore')
    .description('restores a file of `backup` into a data folder that has no database')
    .argument('<file>')
    .addHelpText('after', '\nExamples:\n  DATA_DIR=/srv/restored port-allocator restore ports.tar.gz')
    .action(async (given: string, _options, command: Command) => {
      const { restoreRegistry } = await import('../../operator/backup.js');
      const file = resolveFile(given);
      const restore = async (config: Parameters<typeof restoreRegistry>[0]) => ({
        dataDir: config.dataDir,
        file,
        ...(await restoreRegistry(config, file)),
      });
      await operate(
        command,
        restore,
        ({ dataDir, held }) => `Restored ${file} into ${dataDir}. ${held} ports are held in it.`,
      );
    });
}
