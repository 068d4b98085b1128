import type { Command } from 'commander';
import { ClientFailure } from '../../client/failure.js';
import { findOperandsAfterDashes } from '../arguments.js';
import { type Context, openContext } from '../context.js';
import { endAs, runChild } from './child.js';
import { fillArgument } from './placeholders.js';
import { getStack, type StackOfService } from './stack/stack.js';
import { setVariables } from './variables.js';

const EXPLANATION = `
Sets PORT, and for the whole stack WEB_PORT, API_PORT and so on, and what the manifest adds. In the arguments {port},
{url}, {api.port}, {api.url}, {project} and {environment} are replaced.

Examples:
  pa run web -- npm start
  pa run -- npm start
  pa run web -- vite --port {port} --strictPort
  pa run api -- sh -c 'exec ./server --listen "localhost:$PORT"'`;

/** First words of commands that start a server in development. */
const RUNNERS: ReadonlySet<string> = new Set(['npm', 'npx', 'pnpm', 'yarn', 'bun', 'deno', 'node', 'vite', 'next']);

export function registerRun(program: Command, args: readonly string[]): void {
  program
    .command('run')
    .usage('[options] [service] -- <command...>')
    .description("runs a command with the service's port as PORT, and ends as the command does")
    .argument('[service]', 'the service; left out, the only one of the manifest, or web')
    .allowExcessArguments()
    .addHelpText('after', EXPLANATION)
    .action(async (_service: string | undefined, _options: object, command: Command) => {
      const { service, words } = readRun(args, command.args);
      const context = openContext(command);
      const stack = await getStack(context, service);
      tellStack(context, stack);
      const [file = '', ...operands] = words.map((word) => fillArgument(word, stack));
      endAs(await runChild(file, operands, setVariables(process.env, stack.variables)));
    });
}

/**
 * @param operands all words that are no options, before and after `--`
 * @throws ClientFailure usage
 */
function readRun(
  args: readonly string[],
  operands: readonly string[],
): { service: string | undefined; words: string[] } {
  const words = findOperandsAfterDashes(args) ?? [];
  const before = operands.slice(0, operands.length - words.length);
  const [service, ...others] = before;
  if (words.length > 0 && others.length === 0) return { service, words };
  const rest = [...others, ...words].join(' ');
  // Of `pa run npm start`, nobody calls a service `npm`.
  const example =
    service !== undefined && RUNNERS.has(service)
      ? `pa run -- ${service} ${rest}, or with a service: pa run web -- ${service} ${rest}`
      : `pa run ${service ?? 'web'} -- ${rest || 'npm start'}`;
  throw new ClientFailure(
    'usage',
    'Before -- stands one service, and after it the command.',
    `Write it such as: ${example}`,
  );
}

/** On stderr, and only where a person reads it: otherwise all output is that of the command. */
function tellStack({ output }: Context, { project, environment, service, services, variables }: StackOfService): void {
  if (output.isVerbose || process.stderr.isTTY) {
    output.note(`${service} of ${project} (environment ${environment}): ${services.get(service)?.port}`);
  }
  const replaced = variables.filter(({ name, value }) => ![undefined, value].includes(process.env[name]));
  if (replaced.length > 0) output.detail(`Replaced: ${replaced.map(({ name }) => name).join(', ')}.`);
}
