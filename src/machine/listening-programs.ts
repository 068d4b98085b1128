import { execFile } from 'node:child_process';
import { makeVisible } from '../input/visible.js';
import type { Listener } from './listener.js';
import { readWorkingFolder } from './processes.js';

/** How long one program may take. */
const LIMIT_MS = 5000;
const OUTPUT_LIMIT_BYTES = 8 * 2 ** 20;

type WithoutPath = Omit<Listener, 'path'>;

/**
 * Asks ss for the TCP sockets that listen, in lines such as
 * `LISTEN 0 511 127.0.0.1:3000 0.0.0.0:* users:(("node",pid=812,fd=18))`.
 */
export async function readSs(): Promise<Listener[] | null> {
  const output = await run('ss', ['-H', '-l', '-t', '-n', '-p']);
  if (output === null) return null;
  const found = output.split('\n').flatMap((line): WithoutPath[] => {
    const [, , , local = ''] = line.trim().split(/\s+/);
    const place = readPlace(local);
    if (place === null) return [];
    const user = /users:\(\("(.*?)",pid=(\d+)/.exec(line);
    return [{ ...place, process: user && makeVisible(user[1] as string), pid: user && Number(user[2]) }];
  });
  return Promise.all(
    found.map(async (one) => ({ ...one, path: one.pid === null ? null : await readWorkingFolder(one.pid) })),
  );
}

/**
 * Asks lsof for the same. Its fields are on lines of their own, each after a letter: `p` pid, `c` command, `n` address.
 * `p` and `c` come once a process.
 */
export async function readLsof(): Promise<Listener[] | null> {
  const output = await run('lsof', ['-n', '-P', '-iTCP', '-sTCP:LISTEN', '-Fpcn']);
  if (output === null) return null;
  const found: WithoutPath[] = [];
  let pid: number | null = null;
  let process: string | null = null;
  for (const line of output.split('\n')) {
    const value = line.slice(1);
    if (line.startsWith('p')) pid = Number(value);
    if (line.startsWith('c')) process = makeVisible(value);
    const place = line.startsWith('n') ? readPlace(value) : null;
    if (place) found.push({ ...place, process, pid });
  }
  const paths = await readFoldersByLsof(found.flatMap((one) => one.pid ?? []));
  return found.map((one) => ({ ...one, path: (one.pid !== null && paths.get(one.pid)) || null }));
}

async function readFoldersByLsof(pids: readonly number[]): Promise<Map<number, string>> {
  const folders = new Map<number, string>();
  if (pids.length === 0) return folders;
  const output = await run('lsof', ['-a', '-d', 'cwd', '-p', [...new Set(pids)].join(), '-Fpn']);
  let pid = 0;
  for (const line of (output ?? '').split('\n')) {
    if (line.startsWith('p')) pid = Number(line.slice(1));
    // Where the folder cannot be read, lsof says so in its place, in words.
    if (line.startsWith('n/') && !/ \(readlink: /.test(line)) folders.set(pid, line.slice(1));
  }
  return folders;
}

/** `*:80`, `127.0.0.53%lo:53`, `[::1]:80`. */
function readPlace(text: string): { address: string; port: number } | null {
  const [, address, port] = /^(.+):(\d+)$/.exec(text) ?? [];
  if (address === undefined) return null;
  const bare = address.replace(/[[\]]|%[^\]]*/g, '');
  return { address: bare === '0.0.0.0' || bare === '::' ? '*' : bare, port: Number(port) };
}

/** @returns null if the program is not there, takes too long, or has nothing to say */
function run(program: string, args: string[]): Promise<string | null> {
  const options = {
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: OUTPUT_LIMIT_BYTES,
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  } as const;
  return new Promise((resolve) => {
    // lsof exits with 1 also if it only could not see everything.
    execFile(program, args, options, (error, stdout) => {
      const isUsable = error === null || (typeof error.code === 'number' && !error.killed);
      resolve(isUsable && stdout !== '' ? stdout : null);
    });
  });
}
