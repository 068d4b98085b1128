import { setTimeout as sleep } from 'node:timers/promises';
import pty from '@lydell/node-pty';
import type { Test } from 'tap';
import { packageRoot } from '../../src/package-root.js';

/** A process that runs on a pseudo-terminal. */
export interface OnTerminal {
  readonly pid: number;
  /** Everything that it has shown so far. */
  output(): string;
  /** Waits until it has shown a text, and returns what matches. */
  until(text: RegExp): Promise<RegExpExecArray>;
  type(text: string): void;
  /** Changes the number of columns, as dragging the edge of its window does. */
  resize(columns: number): void;
  kill(signal: NodeJS.Signals): void;
  /** Closes the terminal, as closing its window does. The kernel sends SIGHUP to whatever runs on it. */
  closeTerminal(): void;
  /** How the process ended, or null if it still runs after `ms`. */
  endedWithin(ms: number): Promise<{ exitCode: number; signal?: number | undefined } | null>;
}

/** Runs a command on a pseudo-terminal, with PATH, HOME and these variables as its only environment. */
export function startOnTerminal(
  t: Test,
  command: string[],
  variables: Record<string, string>,
  folder = packageRoot,
): OnTerminal {
  const [file = '', ...args] = command;
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...variables };
  const terminal = pty.spawn(file, args, { cwd: folder, env, cols: 10_000 });
  let output = '';
  terminal.onData((data) => (output += data));
  let ended = false;
  const exited = new Promise<{ exitCode: number; signal?: number | undefined }>((resolve) => {
    terminal.onExit((end) => {
      ended = true;
      resolve(end);
    });
  });
  const kill = (signal: NodeJS.Signals) => void (ended || process.kill(terminal.pid, signal));
  t.teardown(() => {
    kill('SIGKILL');
    return exited;
  });
  return {
    pid: terminal.pid,
    output: () => output,
    async until(text) {
      for (;;) {
        const found = text.exec(output);
        if (found) return found;
        if (ended) throw new Error(`ended before it showed ${text}: ${output}`);
        await sleep(10);
      }
    },
    type: (text) => terminal.write(text),
    resize: (columns) => terminal.resize(columns, terminal.rows),
    kill,
    closeTerminal: () => (terminal as typeof terminal & { destroy(): void }).destroy(),
    endedWithin: (ms) => Promise.race([exited, sleep(ms, null, { ref: false })]),
  };
}
