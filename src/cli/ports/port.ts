import type { Command } from 'commander';
import { hostOption, protocolOption, type SpaceOptions } from '../arguments.js';
import { openContext } from '../context.js';
import { getPort } from './stack/stack.js';

export function registerPort(program: Command): void {
  program
    .command('port')
    .description("prints the number of a service's port, which it gets if it has none")
    .argument('[service]', 'the service; left out, the only one of the manifest, or web')
    .addOption(hostOption())
    .addOption(protocolOption())
    .addHelpText('after', '\nExamples:\n  PORT=$(pa port web)\n  pa port dns --protocol udp\n  pa port web --json')
    .action(async (given: string | undefined, space: SpaceOptions, command: Command) => {
      const context = openContext(command);
      const allocation = await getPort(context, given, space);
      context.output.answer(String(allocation.port), allocation);
    });
}
