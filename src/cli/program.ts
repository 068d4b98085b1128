import { Command } from 'commander';
import { version } from '../package-root.js';

/** Adds a command to the program. Each command's file exports one such function. */
export type Register = (program: Command) => void;

/** All commands, in the order in which the help shows them. A file is loaded only when its command is called. */
const commands: Record<string, () => Promise<Register>> = {
  ls: async () => (await import('./ports/ls.js')).registerLs,
};

/**
 * @param wanted the name of the command that is called; if it is none of them, as for the help, all are loaded
 */
export async function createProgram(wanted: string | undefined): Promise<Command> {
  const program = new Command('port-allocator')
    .description('Hands out ports that no other service gets.')
    .version(version)
    .option('--project <name>', 'the project, instead of the one that is worked out from the folder')
    .option('--environment <name>', 'the environment, instead of the one that is worked out from the folder')
    .option('--json', 'answers in JSON')
    .showSuggestionAfterError()
    .exitOverride();
  const load = wanted === undefined ? undefined : commands[wanted];
  const registers = await Promise.all((load ? [load] : Object.values(commands)).map((one) => one()));
  for (const register of registers) register(program);
  return program;
}
