import type { Command } from 'commander';
import { hostOption, type SpaceOptions } from '../arguments.js';
import { openContext } from '../context.js';
import { openBrowser } from './browser.js';
import { getPort } from './stack/stack.js';

export function registerUrl(program: Command): void {
  program
    .command('url')
    .description('prints the URL of a service, which gets a port if it has none')
    .argument('[service]', 'the service; left out, the only one of the manifest, or web')
    .option('--open', 'also opens it in the browser')
    .addOption(hostOption())
    .addHelpText('after', '\nExamples:\n  pa url web\n  pa url web --open\n  curl "$(pa url api)/health"')
    .action(async (given: string | undefined, { open, host }: SpaceOptions & { open?: boolean }, command: Command) => {
      const context = openContext(command);
      const allocation = await getPort(context, given, { host });
      const { host: name, port } = allocation;
      const url = `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
      context.output.answer(url, { url, ...allocation });
      if (open) await openBrowser(url);
    });
}
