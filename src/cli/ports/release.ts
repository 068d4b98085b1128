import type { Command } from 'commander';
import type { Connection } from '../../client/connection.js';
import { findEnvironment } from '../../client/environment.js';
import { ClientFailure } from '../../client/failure.js';
import { tellListening } from '../../client/machine/listening.js';
import { readAll } from '../../client/pages.js';
import type { Allocation } from '../../schemas/allocation.js';
import { hostOption, protocolOption, requireServiceName, type SpaceOptions } from '../arguments.js';
import { confirm } from '../confirm.js';
import { openContext } from '../context.js';
import { findHere } from './here.js';
import { findInUse, releaseEach } from './releasing.js';

interface Options extends SpaceOptions {
  yes?: boolean;
}

export function registerRelease(program: Command): void {
  program
    .command('release')
    .description('releases the ports of a service, or with --environment and no service those of a whole environment')
    .argument('[service]', 'the service')
    .option('--yes', 'also where somebody listens')
    .addOption(hostOption())
    .addOption(protocolOption())
    .addHelpText('after', '\nExamples:\n  pa release web\n  pa release --environment feature-x\n  pa release web --yes')
    .action(async (given: string | undefined, options: Options, command: Command) => {
      const context = openContext(command);
      const { connection, output } = context;
      const service = await requireTarget(given, context.options.environment);
      const here = await findHere(context);
      const { project } = here;
      const environment = await findEnvironment(connection, here);
      const { host, protocol } = options;
      const held = await findHeld(connection, { project, environment, service, host, protocol });
      await confirmInUse(held, options.yes === true);
      const released = await releaseEach(connection, held, output);
      output.answer(released.map(tellReleased).join('\n'), released);
      if (released.length === 0) {
        output.note(`Nothing is held for ${service ?? 'any service'} of ${project} (environment ${environment}).`);
      }
    });
}

/** A whole environment is released only by its name: the service may have been forgotten. */
async function requireTarget(
  service: string | undefined,
  environment: string | undefined,
): Promise<string | undefined> {
  if (service !== undefined) return requireServiceName(service);
  if (environment !== undefined) return undefined;
  throw new ClientFailure(
    'usage',
    'What is to be released?',
    'Name a service (pa release web), or a whole environment (pa release --environment feature-x).',
  );
}

const findHeld = (connection: Connection, query: Record<string, string | undefined>): Promise<Allocation[]> =>
  readAll<Allocation>(connection, '/v1/allocations', query);

/** @throws ClientFailure refused */
async function confirmInUse(held: readonly Allocation[], isYes: boolean): Promise<void> {
  if (isYes) return;
  const inUse = await findInUse(held);
  if (inUse.length === 0) return;
  const lines = inUse.map(
    ({ allocation: { port, service }, listener }) => `On ${port} (${service}) listens ${tellListening(listener)}.`,
  );
  await confirm(lines.join('\n'), `Release ${held.length === 1 ? 'it' : `all ${held.length}`} all the same?`, isYes);
}

const tellReleased = ({ port, service, environment, project }: Allocation): string =>
  `Released ${port}, ${service} of ${project} (environment ${environment}).`;
