import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** How long a command may take to end after SIGTERM. */
const END_MS = 5000;

/**
 * Runs a command in the shell, which is `cmd` on Windows, until it ends. It has no stdin, and its output is that of this
 * process.
 * @param signal ends the command with all processes that it has started, as does the exit of this process
 * @returns what to tell of a command that has failed, or null
 */
export async function runInShell(
  command: string,
  variables: Record<string, string>,
  signal: AbortSignal,
): Promise<string | null> {
  if (signal.aborted) return null;
  const child = spawn(command, {
    shell: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...variables },
    detached: process.platform !== 'win32', // a process group of its own
  });
  let killing: NodeJS.Timeout | undefined;
  const kill = () => endTree(child, 'SIGKILL');
  const end = () => {
    endTree(child, 'SIGTERM');
    killing = setTimeout(kill, END_MS);
  };
  signal.addEventListener('abort', end, { once: true });
  process.once('exit', kill); // of this process, which does not wait for the command then
  try {
    const [code, ending] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    if (signal.aborted || code === 0) return null;
    return `The command ${ending === null ? `ended with ${code}` : `was ended by ${ending}`}: ${command}`;
  } catch (error) {
    return `The command cannot be executed: ${(error as Error).message}: ${command}`;
  } finally {
    clearTimeout(killing);
    signal.removeEventListener('abort', end);
    process.removeListener('exit', kill);
  }
}

function endTree({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  if (process.platform === 'win32') {
    spawn('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore' }).on('error', () => {});
    return;
  }
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
