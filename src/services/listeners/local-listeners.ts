import type { Config } from '../../config.js';
import type { Log } from '../../database/connect.js';
import { makeVisible } from '../../input/visible.js';
import type { Space } from '../../keys.js';
import { isForwarder } from '../../machine/forwarders.js';
import { chooseListener, type Listener } from '../../machine/listener.js';
import { readListeners, readUdpListeners } from '../../machine/listeners.js';
import { readFamilies, readListeningSockets } from '../../machine/listening-sockets.js';
import { isStranger, isWithin, toRealPath } from '../../machine/strangers.js';
import { Batcher } from '../../registry/queues/batcher.js';
import { probeTcp } from '../probes/probe.js';
import { Containers, type PublishedPort } from './containers.js';
import { ListeningPorts, type SocketsByPort } from './listening-ports.js';

interface Asked {
  protocol: Space['protocol'];
  port: number;
}

const LOOPBACK = ['127.0.0.1', '::1'];
const CONNECT_TIMEOUT_MS = 100;
/** All is forgotten at the same time, so that it is found out anew in few searches. */
const KNOWN_MS = 60_000;
/** Which ports are asked about together. One read of the kernel's list serves any number. */
const MAX_TOGETHER = 10_000;

export type ListenersConfig = Pick<Config, 'probeTargets' | 'containerSocket'>;

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
    execute: (_, asked) => findEach(asked, this.#containers),
    maxBatch: MAX_TOGETHER,
    maxQueue: Number.POSITIVE_INFINITY,
  });

  readonly #ports = new ListeningPorts(() => readListeningPorts(this.#containers));
  readonly #containers: Containers;
  /** Who has the sockets of a port, as long as they are the same ones. */
  readonly #known = new Map<number, { sockets: string; found: Promise<Listener[]> }>();
  #knownSince = performance.now();

  constructor({ probeTargets, containerSocket }: ListenersConfig, log: Pick<Log, 'warn'> = { warn() {} }) {
    this.#containers = new Containers(containerSocket, log);
    this.#isTargeted = (host) => probeTargets.has(host);
  }

  /** Whether a host is this machine, and not another one that is reached in its place (PROBE_TARGETS). */
  isHere(host: string): boolean {
    return host === 'localhost' && !this.#isTargeted(host);
  }

  /** The name of the container that publishes each TCP port of this machine, as the container engine tells it. */
  async nameContainers(): Promise<ReadonlyMap<number, string | null>> {
    const published = (await this.#containers.list()).filter(isTcp);
    return new Map(published.map(({ port, process }) => [port, process]));
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
  listening(): SocketsByPort | null | Promise<SocketsByPort | null> {
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
    return chooseStranger(await this.#searches.submit('', { port, protocol: 'tcp' }), folder);
  }

  /**
   * The same for look-ups. Who has a socket is found out once, and again only after a minute, however many look-ups of
   * however many ports come: to search the processes of a machine can take 100 ms.
   */
  async findKnownStranger(port: number, folder: string): Promise<Listener | null> {
    const sockets = (await this.listening())?.get(port);
    if (sockets === undefined) return this.findStranger(port, folder);
    if (performance.now() - this.#knownSince > KNOWN_MS) {
      this.#known.clear();
      this.#knownSince = performance.now();
    }
    const known = this.#known.get(port);
    if (known?.sockets === sockets) return chooseStranger(await known.found, folder);
    const found = this.#searches.submit('', { port, protocol: 'tcp' });
    this.#known.set(port, { sockets, found });
    return chooseStranger(await found, folder);
  }
}

async function chooseStranger(found: readonly Listener[], folder: string): Promise<Listener | null> {
  if (found.length === 0) return null;
  const realFolder = await toRealPath(folder);
  return found.every((listener) => isStranger(listener, realFolder)) ? chooseListener(found) : null;
}

/** @returns null if the kernel has no list (it is not Linux) */
async function readListeningPorts(containers: Containers): Promise<SocketsByPort | null> {
  const sockets = (await readFamilies(readListeningSockets('tcp'), readListeningSockets('tcp6'))) ?? [];
  const found = sockets.map(({ port, inode }): [number, string] => [port, inode]);
  if (found.length === 0) return null; // WSL 1 keeps it empty
  const published = (await containers.list()).filter(isTcp);
  const byPort = new Map<number, string>();
  for (const [port, socket] of [
    ...found,
    ...published.map(({ port, process }): [number, string] => [port, process ?? '']),
  ]) {
    byPort.set(port, `${byPort.get(port) ?? ''} ${socket}`);
  }
  return byPort;
}

async function findEach(asked: readonly Asked[], containers: Containers): Promise<Listener[][]> {
  const portsOf = (protocol: Space['protocol']) =>
    new Set(asked.filter((one) => one.protocol === protocol).map(({ port }) => port));
  const [tcp, udp] = [portsOf('tcp'), portsOf('udp')];
  const found = {
    tcp: tcp.size === 0 ? null : await readListeners(undefined, tcp),
    udp: udp.size === 0 ? null : await readUdpListeners(udp),
  };
  const published = await containers.list();
  const byPort = {
    tcp: groupByPort(withContainers(found.tcp ?? [], published.filter(isTcp))),
    udp: groupByPort(
      withContainers(
        found.udp ?? [],
        published.filter(({ protocol }) => protocol === 'udp'),
      ),
    ),
  };
  return asked.map(({ protocol, port }) => byPort[protocol].get(port) ?? []);
}

const isTcp = ({ protocol }: PublishedPort): boolean => protocol === 'tcp';

/**
 * In place of the process that listens for a container, the container. That process may belong to another user, or
 * there may be none, where the kernel forwards the port.
 */
function withContainers(processes: readonly Listener[], published: readonly PublishedPort[]): Listener[] {
  const ports = new Set(published.map(({ port }) => port));
  const others = processes.filter((one) => !ports.has(one.port) || (one.process !== null && !isForwarder(one.process)));
  return [...others, ...published];
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
