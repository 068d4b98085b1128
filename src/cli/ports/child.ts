import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { ClientFailure } from '../../client/failure.js';

/** Sent by a terminal to every process of its foreground group, on Ctrl-C and Ctrl-\. */
const TERMINAL_SIGNALS: ReadonlySet<string> = new Set(['SIGINT', 'SIGQUIT']);
/** Passed on to the child. */
const SIGNALS = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
/** By these a process also leaves its memory in a file. That of the child is the one that somebody wants to read. */
const DUMPING: ReadonlySet<string> = new Set([
  'SIGQUIT',
  'SIGILL',
  'SIGTRAP',
  'SIGABRT',
  'SIGBUS',
  'SIGFPE',
  'SIGSEGV',
]);

const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;
/** A shell tells of a process that a signal has ended by this plus the number of the signal. */
const SIGNAL_BASE = 128;
const RAISE_TIMEOUT_MS = 100;

const CHECK_FILE = 'Check that it is a program of this system, and that this user may execute it.';

/** How a child has ended. */
export type Ending = { code: number } | { signal: NodeJS.Signals };

/** A command that could not be started. Its exit codes are those of a shell. */
class NotStarted extends ClientFailure {
  constructor(
    message: string,
    nextStep: string,
    private readonly code: number,
  ) {
    super('refused', message, nextStep);
  }

  override get exitCode(): number {
    return this.code;
  }
}

/**
 * Runs a command on the terminal of this process, in the same group of processes, until it ends. Signals that reach this
 * process meanwhile are passed on.
 * @throws ClientFailure with exit code 127 if there is no such command, and with 126 if it cannot be executed
 */
export async function runChild(command: string, args: string[], variables: NodeJS.ProcessEnv): Promise<Ending> {
  // On Windows `npm` is a file `npm.cmd`, which has to be looked up, and needs a shell.
  const start = process.platform === 'win32' ? (await import('cross-spawn')).default : spawn;
  let child: ChildProcess | undefined;
  const passOn = (signal: NodeJS.Signals) => {
    if (!isSentToGroup(signal)) child?.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, passOn);
  try {
    child = start(command, args, { stdio: 'inherit', env: variables });
    return await waitForEnd(child);
  } catch (error) {
    throw toFailure(command, error as NodeJS.ErrnoException);
  } finally {
    for (const signal of SIGNALS) process.removeListener(signal, passOn);
  }
}

function waitForEnd(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal === null ? { code: code as number } : { signal }));
  });
}

/**
 * Ends this process as its child has ended. A signal is raised again instead of becoming an exit code, because a shell
 * stops a loop on Ctrl-C only if the command was ended by the signal.
 */
export function endAs(ending: Ending): void {
  if ('code' in ending) {
    process.exitCode = ending.code;
    return;
  }
  const { signal } = ending;
  process.exitCode = SIGNAL_BASE + constants.signals[signal];
  if (DUMPING.has(signal) || process.platform === 'win32') return;
  process.kill(process.pid, signal);
  // The signal is delivered a moment later, and never to the first process of a container.
  setTimeout(() => {}, RAISE_TIMEOUT_MS);
}

/** Whether the terminal has sent a signal to the child too. Many programs end without clean-up on a second Ctrl-C. */
function isSentToGroup(signal: NodeJS.Signals): boolean {
  if (!TERMINAL_SIGNALS.has(signal)) return false;
  const isOnTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  if (process.platform !== 'linux') return isOnTerminal;
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    // After the name, which is in parentheses: state, parent, group, session, terminal, foreground group of the terminal.
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return group === foreground;
  } catch {
    return isOnTerminal;
  }
}

function toFailure(command: string, error: NodeJS.ErrnoException): ClientFailure {
  const name = JSON.stringify(command);
  return error.code === 'ENOENT'
    ? new NotStarted(`The command ${name} was not found.`, 'Check its spelling, and that it is on the PATH.', NOT_FOUND)
    : new NotStarted(`The command ${name} cannot be executed: ${error.message}.`, CHECK_FILE, NOT_EXECUTABLE);
}
