import type { Command } from 'commander';
import { operate, resolveFile } from './operation.js';

export function registerBackup(program: Command): void {
  program
    .command('backup')
    .description('writes the embedded database into a new file')
    .argument('<file>')
    .addHelpText('after', '\nExamples:\n  port-allocator backup ports.tar.gz')
    .action(async (given: string, _options, command: Command) => {
      const { backUpRegistry } = await import('../../operator/backup.js');
      const file = resolveFile(given);
      const backUp = async (config: Parameters<typeof backUpRegistry>[0]) => {
        await backUpRegistry(config, file);
        return { dataDir: config.dataDir, file };
      };
      await operate(command, backUp, ({ dataDir }) => `Backed up ${dataDir} to ${file}.`);
    });
}
