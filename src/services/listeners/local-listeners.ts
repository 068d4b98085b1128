import type { Config } from '../../config.js';
import type { Log } from '../../database/connect.js';
import { makeVisible } from '../../input/visible.js';
import type { Space } from '../../keys.js';
import { isForwarder } from '../../machine/forwarders.js';
import { chooseListener, type Listener } from '../../machine/listener.js';
import { readListeners, readUdpListeners } from '../../machine/listeners.js';
import {
  type ListeningSocket,
  readFamilies,
  readListeningSockets,
  readUdpSockets,
} from '../../machine/listening-sockets.js';
import { isStranger, isWithin, toRealPath } from '../../machine/strangers.js';
import { Batcher } from '../../registry/queues/batcher.js';
import { shareForASecond } from '../../registry/queues/share.js';
import { probeTcp } from '../probes/probe.js';
import { Containers, type PublishedPort } from './containers.js';
import { ListeningPorts, type SocketsByPort } from './listening-ports.js';

interface Asked {
  protocol: Space['protocol'];
  port: number;
}

type ByProtocol<T> = Record<Space['protocol'], T>;

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

  readonly #ports: ByProtocol<ListeningPorts> = {
    tcp: new ListeningPorts(() => readTcpPorts(this.#containers)),
    udp: new ListeningPorts(() => readUdpPorts(this.#containers)),
  };
  /** For machines whose kernel has no list of ports. */
  readonly #readAll = shareForASecond(() => findAll(this.#containers));
  readonly #containers: Containers;
  /** By protocol and port, who has its sockets, as long as they are the same ones. */
  readonly #known = new Map<string, { sockets: string; found: Promise<Listener[]> }>();
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
    return this.#ports.tcp.get();
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
    return chooseStranger(await this.#findKnown({ port, protocol: 'tcp' }, sockets), folder);
  }

  /**
   * Who listens on each port of this machine, by port, then protocol; of several on one port the one that `find` answers.
   * The list of ports is up to two seconds old, and who has a socket is found out as for look-ups, so that it costs
   * little to ask again and again: to search all processes took 50 ms of the processor with 120 of them.
   */
  async list(): Promise<(Listener & Asked)[]> {
    const [tcp, udp] = await Promise.all([this.#list('tcp'), this.#list('udp')]);
    return [...tcp, ...udp].sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
  }

  async #list(protocol: Space['protocol']): Promise<(Listener & Asked)[]> {
    const ports = await this.#ports[protocol].get();
    const found =
      ports === null
        ? (await this.#readAll())[protocol].values()
        : await Promise.all([...ports].map(([port, sockets]) => this.#findKnown({ port, protocol }, sockets)));
    return [...found].flatMap((listeners) => {
      const listener = chooseListener(listeners);
      return listener === null ? [] : [{ ...listener, protocol }];
    });
  }

  #findKnown(asked: Asked, sockets: string): Promise<Listener[]> {
    if (performance.now() - this.#knownSince > KNOWN_MS) {
      this.#known.clear();
      this.#knownSince = performance.now();
    }
    const place = `${asked.protocol} ${asked.port}`;
    const known = this.#known.get(place);
    if (known?.sockets === sockets) return known.found;
    const found = this.#searches.submit('', asked);
    this.#known.set(place, { sockets, found });
    return found;
  }
}

async function chooseStranger(found: readonly Listener[], folder: string): Promise<Listener | null> {
  if (found.length === 0) return null;
  const realFolder = await toRealPath(folder);
  return found.every((listener) => isStranger(listener, realFolder)) ? chooseListener(found) : null;
}

/** @returns null if the kernel has no list (it is not Linux) */
async function readTcpPorts(containers: Containers): Promise<SocketsByPort | null> {
  const sockets = (await readFamilies(readListeningSockets('tcp'), readListeningSockets('tcp6'))) ?? [];
  if (sockets.length === 0) return null; // WSL 1 keeps it empty
  return groupSockets(sockets, (await containers.list()).filter(isTcp));
}

/** @returns null if the kernel has no list (it is not Linux) */
async function readUdpPorts(containers: Containers): Promise<SocketsByPort | null> {
  const sockets = await readFamilies(readUdpSockets('udp'), readUdpSockets('udp6'));
  return sockets && groupSockets(sockets, (await containers.list()).filter(isUdp));
}

function groupSockets(sockets: readonly ListeningSocket[], published: readonly PublishedPort[]): SocketsByPort {
  const byPort = new Map<number, string>();
  for (const [port, socket] of [
    ...sockets.map(({ port, inode }): [number, string] => [port, inode]),
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
  const found = await addContainers(containers, {
    tcp: tcp.size === 0 ? null : await readListeners(undefined, tcp),
    udp: udp.size === 0 ? null : await readUdpListeners(udp),
  });
  return asked.map(({ protocol, port }) => found[protocol].get(port) ?? []);
}

/** UDP listeners cannot be had where the kernel has no list. */
async function findAll(containers: Containers): Promise<ByProtocol<Map<number, Listener[]>>> {
  return addContainers(containers, { tcp: await readListeners(), udp: null });
}

/** @param processes null where they were not looked for, or cannot be seen */
async function addContainers(
  containers: Containers,
  { tcp, udp }: ByProtocol<Listener[] | null>,
): Promise<ByProtocol<Map<number, Listener[]>>> {
  const published = await containers.list();
  return {
    tcp: groupByPort(withContainers(tcp ?? [], published.filter(isTcp))),
    udp: groupByPort(withContainers(udp ?? [], published.filter(isUdp))),
  };
}

const isTcp = ({ protocol }: PublishedPort): boolean => protocol === 'tcp';
const isUdp = ({ protocol }: PublishedPort): boolean => protocol === 'udp';

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
