#!/usr/bin/env node
import { CommanderError } from 'commander';
import { ClientFailure } from '../client/failure.js';
import { tellFailure } from './output.js';
import { createProgram, findCommandName } from './program.js';

const args = process.argv.slice(2);
void main();

async function main(): Promise<void> {
  try {
    const program = await createProgram(args);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = tellFailure(toFailure(error), isJsonWanted());
  }
}

/** Gives errors of the command line the form of all other failures. Null if there is nothing left to tell. */
function toFailure(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  if (error.exitCode === 0) return null;
  // Without a command, commander shows the help on stderr. That is no success: in a script a variable may be empty.
  if (error.code === 'commander.help') return new ClientFailure('usage', '', '');
  const [wrong = '', suggestion = ''] = error.message.replace(/^error: /, '').split('\n');
  const detail = `${wrong.charAt(0).toUpperCase()}${wrong.slice(1).replace(/\.$/, '')}.`;
  const name = findCommandName(args);
  const help = `port-allocator ${name === null ? '' : `${name} `}--help`;
  return new ClientFailure('usage', detail, `${suggestion.replace(/^\((.*)\)$/, '$1 ')}See ${help}.`);
}

/** Asked of the arguments themselves, because a command line with an error has no options. */
function isJsonWanted(): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end < 0 ? undefined : end).includes('--json');
}
