import { execFile } from 'node:child_process';
import { readlink } from 'node:fs/promises';
import { makeVisible } from '../input/visible.js';
import { findSocketOwners, nameProcess, readListeningSockets } from '../machine/listening-sockets.js';

/** A TCP socket that listens on this machine, and its process as far as this user may see it. */
export interface Listener {
  readonly port: number;
  /** An address, or `*` for all. */
  readonly address: string;
  readonly processName: string | null;
  readonly pid: number | null;
  /** The working folder of the process. */
  readonly folder: string | null;
}

/** Where the sockets can be read. A source that this machine lacks, or that takes too long, answers null. */
export type Source = () => Promise<Listener[] | null>;

const LIMIT_MS = 5000;
const OUTPUT_LIMIT_BYTES = 8 * 2 ** 20;

/**
 * The kernel's own list comes first: it needs no program, and it knows a program by its file, while the name that ss
 * prints is one that the process gave itself (`MainThread`, for Node 24).
 */
export const sources: Record<'proc' | 'ss' | 'lsof', Source> = { proc: readProc, ss: readSs, lsof: readLsof };

/** Lists what listens on this machine, by port. @returns null if neither /proc nor ss nor lsof tells */
export async function readListeners(from: readonly Source[] = Object.values(sources)): Promise<Listener[] | null> {
  for (const read of from) {
    const found = await read();
    if (found === null) continue;
    // One process that listens on 0.0.0.0 and on :: is listed twice, and by lsof so is one that it has under two numbers.
    const byPlace = new Map(found.map((one) => [`${one.port} ${one.address} ${one.pid}`, one]));
    return [...byPlace.values()].sort((a, b) => a.port - b.port || a.address.localeCompare(b.address));
  }
  return null;
}

/** Writes listeners as `ss -ltnp` does, which is what an import reads. */
export function toSsOutput(listeners: readonly Listener[]): string {
  const lines = listeners.map(({ port, address, processName, pid }) => {
    const local = `${address.includes(':') ? `[${address}]` : address}:${port}`;
    return `LISTEN 0 0 ${local} *:* ${processName === null ? '' : `users:(("${processName}",pid=${pid ?? 0},fd=0))`}`;
  });
  return `${lines.join('\n')}\n`;
}

async function readProc(): Promise<Listener[] | null> {
  const startedAt = performance.now();
  const families = [readListeningSockets('tcp'), readListeningSockets('tcp6').catch(() => [])];
  const sockets = (await Promise.all(families).catch(() => [])).flat();
  if (sockets.length === 0) return null; // not Linux; or WSL 1, which keeps this list empty
  const hasTime = () => performance.now() - startedAt < LIMIT_MS;
  const owners = await findSocketOwners(
    sockets.map(({ inode }) => inode),
    hasTime,
  );
  return Promise.all(
    sockets.map(async ({ hexAddress, port, inode }) => {
      const pid = owners.get(inode) ?? null;
      const processName = pid === null ? null : await nameProcess(pid);
      return { port, address: toAddress(hexAddress), processName, pid, folder: await readFolder(pid) };
    }),
  );
}

/** `00000000`, `0100007F`, `0000000000000000FFFF00000100007F`: words of four bytes, the lowest byte first. */
export function toAddress(hexAddress: string): string {
  const bytes = (hexAddress.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (/^0+$/.test(hexAddress)) return '*';
  const isMapped = /^0{20}ffff$/i.test(bytes.slice(0, -4).join(''));
  if (bytes.length === 4 || isMapped)
    return bytes
      .slice(-4)
      .map((byte) => Number.parseInt(byte, 16))
      .join('.');
  const groups = bytes.join('').match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1); // written short, as in `::1`
}

/** Lines such as `LISTEN 0 511 127.0.0.1:3000 0.0.0.0:* users:(("node",pid=812,fd=18))`. */
async function readSs(): Promise<Listener[] | null> {
  const output = await run('ss', ['-H', '-l', '-t', '-n', '-p']);
  if (output === null) return null;
  const found = output.split('\n').flatMap((line): Omit<Listener, 'folder'>[] => {
    const [, , , local = ''] = line.trim().split(/\s+/);
    const place = readPlace(local);
    if (place === null) return [];
    const user = /users:\(\("(.*?)",pid=(\d+)/.exec(line);
    return [{ ...place, processName: user && makeVisible(user[1] as string), pid: user && Number(user[2]) }];
  });
  return Promise.all(found.map(async (one) => ({ ...one, folder: await readFolder(one.pid) })));
}

/** Fields on lines of their own, each after a letter: `p` pid, `c` command, `n` address. `p` and `c` come once a process. */
async function readLsof(): Promise<Listener[] | null> {
  const output = await run('lsof', ['-n', '-P', '-iTCP', '-sTCP:LISTEN', '-Fpcn']);
  if (output === null) return null;
  const found: Omit<Listener, 'folder'>[] = [];
  let pid: number | null = null;
  let processName: string | null = null;
  for (const line of output.split('\n')) {
    const value = line.slice(1);
    if (line.startsWith('p')) pid = Number(value);
    if (line.startsWith('c')) processName = makeVisible(value);
    const place = line.startsWith('n') ? readPlace(value) : null;
    if (place) found.push({ ...place, processName, pid });
  }
  const folders = await readFoldersByLsof(found.flatMap((one) => one.pid ?? []));
  return found.map((one) => ({ ...one, folder: (one.pid !== null && folders.get(one.pid)) || null }));
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

/** Linux. Null for a process of another user, and elsewhere. */
function readFolder(pid: number | null): Promise<string | null> {
  return pid === null ? Promise.resolve(null) : readlink(`/proc/${pid}/cwd`).catch(() => null);
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
