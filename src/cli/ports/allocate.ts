import { type Command, Option } from 'commander';
import { findEnvironment } from '../../client/environment.js';
import { ClientFailure } from '../../client/failure.js';
import type { AllocatedPair, Allocation } from '../../schemas/allocation.js';
import { hostOption, readPort } from '../arguments.js';
import { openContext } from '../context.js';
import { currentFolder, findHere } from './here.js';
import { chooseService } from './stack/service-name.js';
import { tellWarnings } from './stack/stack.js';

interface Options {
  port?: number;
  prefer?: number;
  host?: string;
  protocol?: 'tcp' | 'udp' | 'both';
}

export function registerAllocate(program: Command): void {
  program
    .command('allocate')
    .description('takes a further port for a service, always a new one, and prints its number')
    .argument('<service>', 'the service')
    .option('--port <number>', 'this port, or none', readPort)
    .option('--prefer <number>', 'this port if it can be had, else the lowest one that is free and usable', readPort)
    .addOption(hostOption())
    .addOption(
      new Option('--protocol <protocol>', 'both: one number for TCP and UDP (default: tcp)').choices([
        'tcp',
        'udp',
        'both',
      ]),
    )
    .addHelpText(
      'after',
      '\npa port answers the port that a service has. This takes another one each time.\n\n' +
        'Examples:\n  METRICS_PORT=$(pa allocate web)\n  pa allocate db --prefer 3432\n  pa allocate dns --protocol both',
    )
    .action(async (given: string, { port, prefer, host, protocol }: Options, command: Command) => {
      requireOne(port, prefer);
      const context = openContext(command);
      const { connection, output } = context;
      const here = await findHere(context);
      const service = await chooseService(given, here, currentFolder());
      // The call gives no folder, so that it could get a port in the environment of another clone.
      const environment = await findEnvironment(connection, here);
      const allocated = await connection.send<Allocation | AllocatedPair>({
        method: 'POST',
        path: `/v1/projects/${here.project}/allocations`,
        query: { createProject: true },
        body: { service, environment, port, prefer, host, protocol },
      });
      const items = 'items' in allocated ? allocated.items : [allocated];
      output.answer(String(items[0]?.port), allocated);
      tellWarnings(output, items);
    });
}

function requireOne(port: number | undefined, prefer: number | undefined): void {
  if (port === undefined || prefer === undefined) return;
  throw new ClientFailure('usage', '--port and --prefer ask for two things.', 'Leave one of them out.');
}
