import type { Command } from 'commander';
import type { Allocation } from '../../schemas/allocation.js';
import { openContext } from '../context.js';

export function registerLs(program: Command): void {
  program
    .command('ls')
    .description('lists the ports that are held')
    .option('--all', 'of every project')
    .addHelpText('after', '\nExamples:\n  pa ls\n  pa ls --all --json')
    .action(async (_options, command: Command) => {
      const { connection, output } = openContext(command);
      const { items } = await connection.send<{ items: Allocation[] }>({ method: 'GET', path: '/v1/allocations' });
      output.answer(items.map(({ port, service }) => `${port}  ${service}`).join('\n'), items);
    });
}
