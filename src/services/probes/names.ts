import { Resolver } from 'node:dns/promises';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { devNull } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { isShortage } from './shortage.js';

/** Where names are looked up. */
export interface NameSources {
  hostsFile: string;
  /** Read for `search`, `domain` and `ndots`. c-ares reads the servers itself, from here or from what the system has. */
  resolvConf: string;
  /** `address:port`; null for the servers of the system. */
  servers: readonly string[] | null;
}

export const SYSTEM_NAMES: NameSources = {
  hostsFile: process.platform === 'win32' ? 'C:\\Windows\\System32\\drivers\\etc\\hosts' : '/etc/hosts',
  resolvConf: '/etc/resolv.conf',
  servers: null,
};

export interface ResolvedName {
  addresses: string[];
  /** Why there is no address; null if there is one. */
  error: string | null;
  /** If the name could not be looked up because this process has run out of something: the error, see `isShortage`. */
  shortage?: string;
}

const TRIES = 3;
/** c-ares waits twice as long after each try. So three tries take 1 + 2 + 4 times the timeout of the first. */
const TIMEOUTS_IN_ALL_TRIES = 7;
/** How long a look-up waits before it is tried again, when the process has run out of descriptors. */
const RETRY_MS = 50;
/** The codes for "there is no such name" and "it has no address of this family". */
const NO_SUCH_NAME = ['ENOTFOUND', 'ENODATA'];

/**
 * Resolves names to addresses: by the hosts file, and then by DNS, with the search domains of resolv.conf.
 * `ProbePolicy` itself answers `localhost` and the names below it.
 *
 * `dns.lookup` is not used. It runs in one of the four threads that the whole process has for files and names, and
 * cannot be cancelled: four names whose server does not answer kept every other name waiting until that counted as
 * unreachable. c-ares waits for its answers without a thread. Only reading the two files takes one, for less than a
 * millisecond. Each name has a resolver of its own, so that its queries can be cancelled alone, and reads the files
 * again, so that a change of resolv.conf (a laptop in another network) is noticed.
 *
 * When the process has no descriptor left for a file or a socket, the look-up is tried again until its time is over.
 * A name whose server does not answer is no such case: it has no address here, and so its ports are unreachable.
 */
export class NameResolver {
  readonly #limit: ReturnType<typeof pLimit>;

  /**
   * @param timeoutMs how long one name may take, counted from when its turn has come
   * @param atATime how many names are looked up at a time
   */
  constructor(
    private readonly timeoutMs: number,
    private readonly sources: NameSources,
    atATime = 32,
  ) {
    this.#limit = pLimit(atATime);
  }

  /** @throws the reason of `signal` when it is aborted, and nothing else */
  resolve(name: string, signal: AbortSignal): Promise<ResolvedName> {
    return this.#limit(async () => {
      const deadline = performance.now() + this.timeoutMs;
      for (;;) {
        signal.throwIfAborted();
        const found = await this.#lookUp(name, signal).catch(toShortage);
        signal.throwIfAborted();
        if (found.shortage === undefined || performance.now() >= deadline) return found;
        await sleep(RETRY_MS);
      }
    });
  }

  /** @throws what `readLines` and `requireDescriptor` throw */
  async #lookUp(name: string, signal: AbortSignal): Promise<ResolvedName> {
    const listed = await findInHosts(this.sources.hostsFile, name);
    return listed.length > 0 ? { addresses: listed, error: null } : this.#askServers(name, signal);
  }

  async #askServers(name: string, signal: AbortSignal): Promise<ResolvedName> {
    requireDescriptor(); // also for the resolver, which reads the servers from a file
    const resolver = new Resolver({ timeout: Math.ceil(this.timeoutMs / TIMEOUTS_IN_ALL_TRIES), tries: TRIES });
    if (this.sources.servers) resolver.setServers(this.sources.servers);
    const ended = AbortSignal.any([signal, AbortSignal.timeout(this.timeoutMs)]);
    const cancel = () => resolver.cancel();
    ended.addEventListener('abort', cancel);
    const codes: string[] = [];
    try {
      for (const candidate of await listCandidates(this.sources.resolvConf, name)) {
        if (ended.aborted) break;
        requireDescriptor();
        const answers = await Promise.allSettled([resolver.resolve4(candidate), resolver.resolve6(candidate)]);
        const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
        if (addresses.length > 0) return { addresses, error: null };
        codes.push(...answers.map((answer) => (answer.status === 'rejected' ? answer.reason.code : 'ENODATA')));
      }
    } finally {
      ended.removeEventListener('abort', cancel);
    }
    const code = codes.find((code) => !NO_SUCH_NAME.includes(code)) ?? codes.at(-1);
    // What c-ares says when it could not open a socket, and also when the server refuses.
    if (code === 'ECONNREFUSED') requireDescriptor();
    const isLate = ended.aborted || code === 'ETIMEOUT';
    return { addresses: [], error: isLate ? `${name} was not resolved in time` : `${name}: ${code}` };
  }
}

/** The addresses that the hosts file gives a name. Each of its lines is an address followed by names. */
async function findInHosts(file: string, name: string): Promise<string[]> {
  const lines = await readLines(file);
  return lines.flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/);
    return isIP(address) !== 0 && names.includes(name) ? [address] : [];
  });
}

/**
 * The names to ask for, in the order of resolv.conf(5): a name with at least `ndots` dots is asked for as it is before
 * the search domains are tried, any other name after them.
 */
async function listCandidates(file: string, name: string): Promise<string[]> {
  let domains: string[] = [];
  let ndots = 1;
  for (const line of await readLines(file)) {
    const [keyword = '', ...values] = line.trim().split(/\s+/);
    if (keyword === 'search' || keyword === 'domain') domains = values.filter((domain) => domain !== '.');
    if (keyword === 'options') ndots = Number(/(?:^| )ndots:(\d+)/.exec(values.join(' '))?.[1] ?? ndots);
  }
  const searched = domains.map((domain) => `${name}.${domain}`);
  return name.split('.').length - 1 >= ndots ? [name, ...searched] : [...searched, name];
}

/** Empty if there is no such file. @throws NodeJS.ErrnoException if the process has run out of something */
async function readLines(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (isShortage(error.code)) throw error;
    return '';
  });
  return text.split('\n');
}

/**
 * Opens a file and closes it. c-ares, which is called next and opens its sockets at once, does not say why it could not.
 * @throws NodeJS.ErrnoException if the process has no descriptor left
 */
function requireDescriptor(): void {
  closeSync(openSync(devNull, 'r'));
}

/** @throws the error again if it is no shortage */
function toShortage(error: NodeJS.ErrnoException): ResolvedName {
  const { code } = error;
  if (code === undefined || !isShortage(code)) throw error;
  return { addresses: [], error: code, shortage: code };
}
