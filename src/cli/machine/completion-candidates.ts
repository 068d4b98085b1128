import type { Argument, Command, Option } from 'commander';
import { detectHere } from '../../client/detect.js';
import { readSettings } from '../../client/settings.js';

/** A word that may follow, and what it means. */
export interface Candidate {
  word: string;
  meaning: string;
}

/**
 * Completes the last word of a command line.
 * @param program with all commands
 * @param words without the name of the program. The last one is completed, and may be empty
 */
export async function complete(program: Command, words: readonly string[]): Promise<Candidate[]> {
  const current = words.at(-1) ?? '';
  const candidates = await findCandidates(program, words.slice(0, -1), current);
  // `--help` is an option of the program and of the command.
  const byWord = new Map(candidates.map((candidate) => [candidate.word, candidate]));
  return [...byWord.values()].filter(({ word }) => word.startsWith(current));
}

async function findCandidates(program: Command, before: readonly string[], current: string): Promise<Candidate[]> {
  const { command, operands, openOption } = readWords(program, before);
  if (openOption !== null) return fromChoices(openOption);
  if (current.startsWith('-')) return listOptions(command === null ? [program] : [command, program]);
  if (command === null) return listCommands(program);
  if (command.name() === 'help') return operands.length === 0 ? listCommands(program) : [];
  const argument = command.registeredArguments[operands.length];
  if (argument === undefined) return [];
  return argument.name() === 'service' ? listServices() : fromChoices(argument);
}

/** Reads the words before the one that is completed: the command, its operands, and an option that needs a value. */
function readWords(program: Command, words: readonly string[]) {
  let command: Command | null = null;
  let openOption: Option | null = null;
  const operands: string[] = [];
  for (const word of words) {
    if (openOption !== null) {
      openOption = null;
    } else if (word.startsWith('-')) {
      const options: readonly Option[] = [...(command?.options ?? []), ...program.options];
      const option = options.find(({ long, short }) => word === long || word === short);
      openOption = option?.required ? option : null;
    } else if (command === null) {
      command = program.commands.find((one) => one.name() === word) ?? program.createCommand(word);
    } else {
      operands.push(word);
    }
  }
  return { command, operands, openOption };
}

const listCommands = (program: Command): Candidate[] =>
  program
    .createHelp()
    .visibleCommands(program)
    .map((command) => ({ word: command.name(), meaning: command.description() }));

const listOptions = (commands: readonly Command[]): Candidate[] =>
  commands
    .flatMap((command) => command.createHelp().visibleOptions(command))
    .flatMap(({ long, description }) => (long ? [{ word: long, meaning: description }] : []));

const fromChoices = ({ argChoices = [] }: Option | Argument): Candidate[] =>
  argChoices.map((word) => ({ word, meaning: '' }));

/** Those of the manifest. The service is not asked, because a key that was pressed must not start one. */
async function listServices(): Promise<Candidate[]> {
  const { manifest } = await detectHere({ settings: readSettings(process.env), folder: process.cwd() });
  return manifest?.services.map(({ service, description = '' }) => ({ word: service, meaning: description })) ?? [];
}
