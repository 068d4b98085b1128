#!/usr/bin/env node
import { CommanderError } from 'commander';
import { tellFailure } from './output.js';
import { createProgram } from './program.js';

const USAGE = 2;

const args = process.argv.slice(2);
try {
  const program = await createProgram(args.find((arg) => !arg.startsWith('-')));
  await program.parseAsync(args, { from: 'user' });
} catch (error) {
  // Commander has written its message already. Its own exit code for help and version is 0, and 1 for a wrong usage.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  else process.exitCode = tellFailure(error, args.includes('--json'));
}
