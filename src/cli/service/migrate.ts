import type { Command } from 'commander';
import { operate } from './operation.js';

export function registerMigrate(program: Command): void {
  program
    .command('migrate')
    .description('applies the migrations that are missing')
    .addHelpText('after', '\nExamples:\n  DATABASE_URL=postgresql://… port-allocator migrate')
    .action(async (_options, command: Command) => {
      const { migrateRegistry } = await import('../../operator/migrate.js');
      await operate(command, migrateRegistry, () => 'The schema is up to date.');
    });
}
