import { execFile } from 'node:child_process';

/** The uid and gid that Linux and macOS use for `nobody` or leave unused. It owns nothing. */
export const NOBODY = 65_534;

/** Why a test that needs a second user cannot run, or false. Only root can make files and processes of another user. */
export const withoutRoot: string | false =
  process.getuid?.() === 0 ? false : 'only root can act as another user of the machine';

/**
 * Runs JavaScript in a process of the user NOBODY, with `node:fs`, `node:net` and so on as `fs`, `net`, …
 * @param args what `process.argv` has from 1 on
 * @returns what it wrote to stdout, parsed as JSON
 */
export function asNobody(source: string, ...args: string[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const options = { uid: NOBODY, gid: NOBODY, cwd: '/', env: {}, timeout: 30_000 };
    execFile(process.execPath, ['-e', source, ...args], options, (error, stdout) => {
      if (error) reject(error);
      else resolve(JSON.parse(stdout));
    });
  });
}
