import { createInterface } from 'node:readline/promises';
import { ClientFailure } from '../client/failure.js';
import { tell } from './output.js';

/**
 * Asks a person whether to go on, on stderr, so that stdout has the answer of the command alone. Only `y` and `yes` mean
 * yes.
 * @param isYes the option `--yes`, which answers in advance
 * @param reason why the user is asked, as a sentence; the failure begins with it
 * @throws ClientFailure refused, if nobody is there to answer, or the answer is no
 */
export async function confirm(reason: string, question: string, isYes: boolean): Promise<void> {
  if (isYes) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new ClientFailure('refused', reason, 'Nothing was changed. Repeat it with --yes if that is what you want.');
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  tell(reason);
  // Ctrl-C and Ctrl-D close the terminal without an answer, and then mean no.
  const answer = await Promise.race([
    terminal.question(`${question} [y/N] `),
    new Promise<string>((resolve) => terminal.once('close', () => resolve(''))),
  ]).finally(() => terminal.close());
  if (!/^y(es)?$/i.test(answer.trim())) throw new ClientFailure('refused', 'Nothing was changed.', '');
}
