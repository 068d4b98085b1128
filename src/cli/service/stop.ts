import type { Command } from 'commander';
import { ClientFailure } from '../../client/failure.js';
import { openContext } from '../context.js';
import { explaining } from './operation.js';

export function registerStop(program: Command): void {
  program
    .command('stop')
    .description('ends the service of the data folder, when it has finished what is under way')
    .addHelpText('after', '\nThe next command starts one again.\n\nExamples:\n  port-allocator stop')
    .action(async (_options, command: Command) => {
      const { settings, output } = openContext(command);
      if (settings.url !== null) {
        throw new ClientFailure(
          'usage',
          `PORT_ALLOCATOR_URL is set (${settings.url}), and a service that is reached over HTTP is stopped where it runs.`,
          'Unset it to stop the service of the data folder.',
        );
      }
      const { stopService } = await import('../../operator/stop.js');
      const stopped = await explaining(() => stopService(settings.dataDir));
      const text =
        stopped === null
          ? `No service runs on ${settings.dataDir}.`
          : `Stopped the service in the ${stopped.mode} (pid ${stopped.pid}${stopped.url === null ? '' : `, ${stopped.url}`}).`;
      output.answer(text, { stopped });
    });
}
