import type { Command } from 'commander';
import { type Connection, connect } from '../client/connection.js';
import { readSettings, type Settings } from '../client/settings.js';
import { type Output, openOutput } from './output.js';

/** The options that every command takes. */
export interface CommonOptions {
  project?: string;
  environment?: string;
  json?: boolean;
  verbose?: boolean;
}

/** What a command works with. */
export interface Context {
  readonly settings: Settings;
  readonly options: CommonOptions;
  readonly output: Output;
  readonly connection: Connection;
}

/** @param command as commander gives it to an action */
export function openContext(command: Command): Context {
  const options = command.optsWithGlobals<CommonOptions>();
  const settings = readSettings(process.env);
  const output = openOutput(options);
  // Told to a person who waits. In the output of a script it would only be in the way.
  const onWait = (message: string) => (process.stderr.isTTY ? output.note(message) : output.detail(message));
  return { settings, options, output, connection: connect(settings, { onWait }) };
}
