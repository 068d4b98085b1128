import type { Config } from '../../config.js';
import { makeVisible } from '../../input/visible.js';
import type { Space } from '../../keys.js';
import { chooseListener, type Listener } from '../../machine/listener.js';
import { readListeners, readUdpListeners } from '../../machine/listeners.js';
import { readListeningSockets } from '../../machine/listening-sockets.js';
import { isStranger, isWithin, toRealPath } from '../../machine/strangers.js';
import { Batcher } from '../../registry/queues/batcher.js';
import { probeTcp } from '../probes/probe.js';
import { ListeningPorts } from './listening-ports.js';

interface Asked {
  protocol: Space['protocol'];
  port: number;
}

const LOOPBACK = ['127.0.0.1', '::1'];
const CONNECT_TIMEOUT_MS = 100;
/** Which ports are asked about together. One read of the kernel's list serves any number. */
const MAX_TOGETHER = 10_000;

/**
 * Tells who listens on the ports of the machine that the service runs on. In a container that is the container, unless
 * it shares its host's network.
 */
export class LocalListeners {
  readonly #isTargeted: (host: string) => boolean;
  /**
   * Callers that ask while the kernel's list is being read share the next reading. So all get an answer that is newer
   * than their question, and however many ask, the processes of this machine are searched by one at a time.
   */
  readonly #searches = new Batcher<Asked, Listener[]>({
    execute: (_, asked) => findEach(asked),
    maxBatch: MAX_TOGETHER,
    maxQueue: Number.POSITIVE_INFINITY,
  });

  readonly #ports = new ListeningPorts(readListeningPorts);

  constructor({ probeTargets }: Pick<Config, 'probeTargets'>) {
    this.#isTargeted = (host) => probeTargets.has(host);
  }

  /** Whether a host is this machine, and not another one that is reached in its place (PROBE_TARGETS). */
  isHere(host: string): boolean {
    return host === 'localhost' && !this.#isTargeted(host);
  }

  /**
   * Who listens on a port of this machine now; of several the one that stands most in a server's way.
   * @returns null if nobody does, or it cannot be seen from here
   */
  async find(port: number, protocol: Space['protocol'] = 'tcp'): Promise<Listener | null> {
    return chooseListener(await this.#searches.submit('', { port, protocol }));
  }

  /** The same without those who are known to live in a folder. @param folder null if that is not known */
  async findUnlessWithin(port: number, protocol: Space['protocol'], folder: string | null): Promise<Listener | null> {
    const found = await this.#searches.submit('', { port, protocol });
    const realFolder = folder === null || found.length === 0 ? null : await toRealPath(folder);
    return chooseListener(
      found.filter(({ path }) => realFolder === null || path === null || !isWithin(path, realFolder)),
    );
  }

  /**
   * The TCP ports on which somebody listens, from a list that is up to two seconds old. Null if there is no such list.
   */
  listening(): ReadonlySet<number> | null | Promise<ReadonlySet<number> | null> {
    return this.#ports.get();
  }

  /** Whether it is worth to look for who listens on a TCP port. Where there is no list, by connecting over loopback. */
  async mayListen(port: number): Promise<boolean> {
    const ports = await this.listening();
    if (ports !== null) return ports.has(port);
    return (await probeTcp(LOOPBACK, port, CONNECT_TIMEOUT_MS)).outcome === 'open';
  }

  /**
   * Who listens on a TCP port of this machine and is no part of the stack in a folder.
   * @returns null also if one that listens there may be a part of it
   */
  async findStranger(port: number, folder: string): Promise<Listener | null> {
    const found = await this.#searches.submit('', { port, protocol: 'tcp' });
    if (found.length === 0) return null;
    const realFolder = await toRealPath(folder);
    return found.every((listener) => isStranger(listener, realFolder)) ? chooseListener(found) : null;
  }
}

/** @returns null if the kernel has no list (it is not Linux) */
async function readListeningPorts(): Promise<ReadonlySet<number> | null> {
  const sockets = await Promise.all([readListeningSockets('tcp'), readListeningSockets('tcp6').catch(() => [])]);
  const ports = new Set(sockets.flat().map(({ port }) => port));
  return ports.size === 0 ? null : ports; // WSL 1 keeps it empty
}

async function findEach(asked: readonly Asked[]): Promise<Listener[][]> {
  const portsOf = (protocol: Space['protocol']) =>
    new Set(asked.filter((one) => one.protocol === protocol).map(({ port }) => port));
  const [tcp, udp] = [portsOf('tcp'), portsOf('udp')];
  const found = {
    tcp: tcp.size === 0 ? null : await readListeners(undefined, tcp),
    udp: udp.size === 0 ? null : await readUdpListeners(udp),
  };
  const byPort = { tcp: groupByPort(found.tcp ?? []), udp: groupByPort(found.udp ?? []) };
  return asked.map(({ protocol, port }) => byPort[protocol].get(port) ?? []);
}

function groupByPort(listeners: readonly Listener[]): Map<number, Listener[]> {
  const byPort = new Map<number, Listener[]>();
  for (const listener of listeners) byPort.set(listener.port, [...(byPort.get(listener.port) ?? []), listener]);
  return byPort;
}

/** `node, pid 812, in /home/kim/shop`, for what an audit found. */
export function nameListener(listener: Listener | null): string {
  if (listener === null || listener.process === null) return 'a process that cannot be identified from here';
  const { process, pid, path } = listener;
  return [process, ...(pid === null ? [] : [`pid ${pid}`]), ...(path === null ? [] : [`in ${makeVisible(path)}`])].join(
    ', ',
  );
}
