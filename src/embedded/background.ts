import { spawn } from 'node:child_process';
import { join, parse } from 'node:path';
import { packageRoot } from '../package-root.js';

/**
 * The exit code of a background service that finds another process on its data folder. (EX_TEMPFAIL of sysexits.h:
 * nothing is wrong, and the caller can use that other process, or try again.)
 */
export const ALREADY_HELD = 75;

/** What programs of the operating system need. Nothing else of the shell's environment reaches the service. */
const SYSTEM_VARIABLES = ['HOME', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'USERPROFILE'];

/** A background service that ended, or never ran. */
export interface Ended {
  /** The exit code: `ALREADY_HELD`, or that of a failed start. Null after a signal, and if it could not be started. */
  code: number | null;
  /** What it wrote to stderr, without a line end: one sentence that says why it could not start. */
  reason: string;
}

/**
 * Starts the service of a data folder in the background, for a client that finds none. It goes on after this process
 * has ended, and does not keep this process from ending. Wait for `path` in holder.json (`readHolder`), and for the
 * promise meanwhile. Several clients may do this at the same time: one of the services gets the lock, and the others end
 * with `ALREADY_HELD`.
 * @returns resolves when that service has ended; never rejects
 */
export function startBackground(dataDir: string, options: { idleSeconds?: number } = {}): Promise<Ended> {
  const main = join(packageRoot, 'dist', 'src', 'main.js');
  const { idleSeconds } = options;
  const child = spawn(
    process.execPath,
    [main, '--background', ...(idleSeconds === undefined ? [] : ['--idle-seconds', String(idleSeconds)])],
    {
      // Not the folder of the caller, which may be a worktree that is soon to be deleted.
      cwd: parse(packageRoot).root,
      detached: true, // in a session of its own, so that a Ctrl-C in the caller's terminal does not reach it
      env: { ...pick(process.env, SYSTEM_VARIABLES), DATA_DIR: dataDir },
      stdio: ['ignore', 'ignore', 'pipe'],
      windowsHide: true,
    },
  );
  child.unref();
  const { stderr } = child;
  (stderr as typeof stderr & { unref?(): void }).unref?.();
  let reason = '';
  stderr.setEncoding('utf8').on('data', (text) => (reason += text));
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, reason: error.message }));
    child.once('close', (code) => resolve({ code, reason: reason.trim() }));
  });
}

function pick(variables: NodeJS.ProcessEnv, names: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(names.flatMap((name) => (variables[name] === undefined ? [] : [[name, variables[name]]])));
}
