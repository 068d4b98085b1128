import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import pLimit from 'p-limit';

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
}

/** Few enough that a small name server takes them all, and many enough that slow names do not hold up an audit. */
const NAMES_AT_A_TIME = 32;
const TRIES = 3;
/** c-ares waits twice as long after each try. So three tries take 1 + 2 + 4 times the timeout of the first. */
const TIMEOUTS_IN_ALL_TRIES = 7;
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
 */
export class NameResolver {
  readonly #limit = pLimit(NAMES_AT_A_TIME);

  /** @param timeoutMs how long one name may take, counted from when its turn has come */
  constructor(
    private readonly timeoutMs: number,
    private readonly sources: NameSources,
  ) {}

  /** @throws the reason of `signal` when it is aborted, and nothing else */
  resolve(name: string, signal: AbortSignal): Promise<ResolvedName> {
    return this.#limit(async () => {
      signal.throwIfAborted();
      const listed = await findInHosts(this.sources.hostsFile, name);
      const found = listed.length > 0 ? { addresses: listed, error: null } : await this.#askServers(name, signal);
      signal.throwIfAborted();
      return found;
    });
  }

  async #askServers(name: string, signal: AbortSignal): Promise<ResolvedName> {
    const resolver = new Resolver({ timeout: Math.ceil(this.timeoutMs / TIMEOUTS_IN_ALL_TRIES), tries: TRIES });
    if (this.sources.servers) resolver.setServers(this.sources.servers);
    const ended = AbortSignal.any([signal, AbortSignal.timeout(this.timeoutMs)]);
    const cancel = () => resolver.cancel();
    ended.addEventListener('abort', cancel);
    const codes: string[] = [];
    try {
      for (const candidate of await listCandidates(this.sources.resolvConf, name)) {
        if (ended.aborted) break;
        const answers = await Promise.allSettled([resolver.resolve4(candidate), resolver.resolve6(candidate)]);
        const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
        if (addresses.length > 0) return { addresses, error: null };
        codes.push(...answers.map((answer) => (answer.status === 'rejected' ? answer.reason.code : 'ENODATA')));
      }
    } finally {
      ended.removeEventListener('abort', cancel);
    }
    const code = codes.find((code) => !NO_SUCH_NAME.includes(code)) ?? codes.at(-1);
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

/** Empty if there is no such file. */
async function readLines(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8').catch(() => '')).split('\n');
}
