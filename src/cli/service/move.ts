import type { Command } from 'commander';
import { operate } from './operation.js';

export function registerMove(program: Command): void {
  program
    .command('move')
    .description('copies the registry in DATA_DIR into the empty PostgreSQL database of DATABASE_URL')
    .addHelpText('after', '\nExamples:\n  DATABASE_URL=postgresql://… port-allocator move')
    .action(async (_options, command: Command) => {
      const { moveRegistry } = await import('../../operator/move.js');
      const total = (rows: Record<string, number>) => Object.values(rows).reduce((sum, count) => sum + count, 0);
      await operate(
        command,
        moveRegistry,
        ({ rows }, { dataDir }) =>
          `Moved ${total(rows)} rows. Run everything with this DATABASE_URL from now on; ${dataDir} is as it was.`,
      );
    });
}
