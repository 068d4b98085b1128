import type { Command } from 'commander';
import { operate } from './operation.js';

export function registerSeed(program: Command): void {
  program
    .command('seed')
    .description('inserts the ranges that a new registry starts with, as far as they are free')
    .addHelpText('after', '\nExamples:\n  DATABASE_URL=postgresql://… port-allocator seed')
    .action(async (_options, command: Command) => {
      const { seedRegistry } = await import('../../operator/seed.js');
      await operate(
        command,
        seedRegistry,
        ({ inserted, left }) => `Inserted ${inserted} ranges. ${left} would overlap a range that exists.`,
      );
    });
}
