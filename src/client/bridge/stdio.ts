import { closeLostTerminals } from '../../machine/lost-terminals.js';
import { type Connection, connect } from '../connection.js';
import { ClientFailure } from '../failure.js';
import { readSettings, type Settings } from '../settings.js';
import { Bridge } from './bridge.js';

/**
 * An MCP server on stdin and stdout: a bridge to the service, which is started in the background if none runs. The
 * process ends when its client has left, or ends it.
 * @param tools which ones agents see: `core` or `all`; as the service says if it is left out
 */
export async function runOnStdio(variables: NodeJS.ProcessEnv, tools?: string): Promise<never> {
  process.once('exit', closeLostTerminals);
  const end = (code = 0) => process.exit(code);
  // The client has gone, or has closed the terminal: nobody would read an answer.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => end());
  for (const stream of [process.stdin, process.stdout]) stream.on('error', () => end());
  process.stderr.on('error', () => {});
  const told = new Set<string>();
  const tell = (message: string) => {
    if (!told.has(message)) process.stderr.write(`${message}\n`);
    told.add(message);
  };
  const { connection, settings, exitCode } = open(variables, tell);
  await new Bridge(connection, process.stdout, settings, { tools, onTrouble: tell }).run(process.stdin);
  return end(exitCode);
}

interface Opened {
  connection: Connection;
  settings: Pick<Settings, 'project' | 'environment'>;
  exitCode: number;
}

/** A setting that cannot be used is what every call is answered. Clients show what a process writes to stderr to nobody. */
function open(variables: NodeJS.ProcessEnv, tell: (message: string) => void): Opened {
  try {
    const settings = readSettings(variables);
    return { connection: connect(settings, { onWait: tell }), settings, exitCode: 0 };
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error;
    tell(error.text);
    const fail = () => Promise.reject(error);
    const connection = { place: '', send: fail, open: fail, exchange: fail };
    return { connection, settings: { project: null, environment: null }, exitCode: error.exitCode };
  }
}
