import { closeLostTerminals } from '../../machine/lost-terminals.js';
import { connect } from '../connection.js';
import type { Settings } from '../settings.js';
import { Bridge } from './bridge.js';

/**
 * An MCP server on stdin and stdout: a bridge to the service, which is started in the background if none runs. The
 * process ends when its client has left, or ends it.
 */
export async function runOnStdio(settings: Settings): Promise<never> {
  process.once('exit', closeLostTerminals);
  const end = () => process.exit(0);
  // The client has gone, or has closed the terminal: nobody would read an answer.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, end);
  for (const stream of [process.stdin, process.stdout]) stream.on('error', end);
  process.stderr.on('error', () => {});
  const connection = connect(settings, { onWait: (message) => process.stderr.write(`${message}\n`) });
  await new Bridge(connection, process.stdout, settings).run(process.stdin);
  return end();
}
