import { LRUCache } from 'lru-cache';
import { makeVisible } from '../../input/visible.js';
import { type Listener, tellListener } from '../../machine/listener.js';
import type { Session } from '../../registry/session.js';
import { findEnvironmentPath } from '../../repositories/environments.js';
import type { Allocation } from '../../schemas/allocation.js';
import type { SocketsByPort } from './listening-ports.js';
import type { LocalListeners } from './local-listeners.js';

type Warned = Pick<
  Allocation,
  'id' | 'port' | 'project' | 'service' | 'environment' | 'host' | 'protocol' | 'releasedAt' | 'warnings'
>;
type FindPath = () => Promise<string | null>;

/**
 * How long a warning, or that there is none, is kept for an allocation, while the same sockets listen on its port. The
 * path of its environment is read again then.
 */
const KEPT_MS = 5000;
const MAX_KEPT = 10_000;
const NO_WARNING = '';

/**
 * Adds warnings to answers: that a stranger listens on a port that is held. They are made for each answer and stored
 * nowhere. Look-ups are the most frequent calls by far, so nothing is read for a port on which nobody listens, and for
 * others every few seconds.
 */
export class ListenerWarnings {
  /** By the allocation's id, for the sockets that listened. A promise while it is being found out. */
  readonly #kept = new LRUCache<string, { sockets: string; warning: string | Promise<string> }>({
    max: MAX_KEPT,
    ttl: KEPT_MS,
  });

  constructor(private readonly listeners: LocalListeners) {}

  /** The allocation, at once where nobody listens on its port. */
  add<A extends Warned>(session: Session, allocation: A): A | Promise<A> {
    if (!this.#isHere(allocation)) return allocation;
    const ports = this.listeners.listening();
    if (ports instanceof Promise) return ports.then((read) => this.#addIn(session, allocation, read));
    return this.#addIn(session, allocation, ports);
  }

  #addIn<A extends Warned>(session: Session, allocation: A, ports: SocketsByPort | null): A | Promise<A> {
    if (ports !== null && !ports.has(allocation.port)) return allocation;
    const warning = this.#find(allocation, ports, pathOf(session, allocation));
    return typeof warning === 'string' ? warn(allocation, warning) : warning.then((found) => warn(allocation, found));
  }

  /** The same for allocations of one environment. */
  async addToAll<A extends Warned>(session: Session, allocations: readonly A[]): Promise<A[]> {
    const here = allocations.filter((allocation) => this.#isHere(allocation));
    const ports = here.length === 0 ? null : await this.listeners.listening();
    const listened = here.filter(({ port }) => ports === null || ports.has(port));
    if (listened[0] === undefined) return [...allocations];
    const findPath = pathOf(session, listened[0]);
    const found = listened.map(
      async (one): Promise<[string, string]> => [one.id, await this.#find(one, ports, findPath)],
    );
    const warnings = new Map(await Promise.all(found));
    return allocations.map((allocation) => warn(allocation, warnings.get(allocation.id) ?? NO_WARNING));
  }

  /** The same page by page, as they are read. */
  async *addToPages<A extends Warned>(session: Session, pages: AsyncIterable<A[]>): AsyncGenerator<A[], void> {
    for await (const page of pages) yield await this.addToAll(session, page);
  }

  /**
   * Of a port that is held from now on. Where it was asked for by its number, a warning tells of everybody who listens
   * there and is not known to be its service: other new ports are those on which nobody listens.
   *
   * The port is held by now, so what goes wrong here is no reason to refuse: the caller would take another one.
   * @param allocated one allocation, or a pair of them
   * @param asked the number that was asked for, if one was
   */
  async addToNew<A extends Warned>(
    session: Session,
    allocated: A | { items: A[] },
    asked: number | undefined,
  ): Promise<A | { items: A[] }> {
    const add = (one: A) =>
      asked === undefined ? this.add(session, one) : this.#addForNumber(session, one).catch(() => one);
    if (!('items' in allocated)) return add(allocated);
    return { items: await Promise.all(allocated.items.map(add)) };
  }

  async #addForNumber<A extends Warned>(session: Session, allocation: A): Promise<A> {
    const { port, protocol } = allocation;
    if (!this.listeners.isHere(allocation.host)) return allocation;
    const path = await pathOf(session, allocation)();
    const stranger = path === null || protocol === 'udp' ? null : await this.listeners.findStranger(port, path);
    if (path !== null && stranger !== null) return warn(allocation, describeStranger(allocation, stranger, path));
    const listener = await this.listeners.findUnlessWithin(port, protocol, path);
    return listener === null ? allocation : warn(allocation, describeListening(allocation, listener));
  }

  #isHere({ host, protocol, releasedAt }: Warned): boolean {
    return protocol === 'tcp' && releasedAt === null && this.listeners.isHere(host);
  }

  #find(allocation: Warned, ports: SocketsByPort | null, findPath: FindPath): string | Promise<string> {
    const sockets = ports?.get(allocation.port) ?? '';
    const { id } = allocation;
    const kept = this.#kept.get(id);
    if (kept?.sockets === sockets) return kept.warning;
    const warning = this.#judge(allocation, findPath).catch(() => NO_WARNING);
    this.#kept.set(id, { sockets, warning });
    void warning.then((found) => this.#kept.set(id, { sockets, warning: found }));
    return warning;
  }

  async #judge(allocation: Warned, findPath: FindPath): Promise<string> {
    const path = await findPath();
    if (path === null || !(await this.listeners.mayListen(allocation.port))) return NO_WARNING;
    const stranger = await this.listeners.findKnownStranger(allocation.port, path);
    return stranger === null ? NO_WARNING : describeStranger(allocation, stranger, path);
  }
}

/** Reads the path of an allocation's environment when it is first asked for. */
function pathOf(session: Session, { project, environment }: Warned): FindPath {
  let path: Promise<string | null> | undefined;
  return () => {
    path ??= session.readUnfiltered(findEnvironmentPath, project, environment);
    return path;
  };
}

function warn<A extends Warned>(allocation: A, warning: string): A {
  return warning === NO_WARNING ? allocation : { ...allocation, warnings: [...(allocation.warnings ?? []), warning] };
}

function describeStranger({ port, project, service }: Warned, listener: Listener, path: string): string {
  const home = makeVisible(path);
  return (
    `${tell(listener)} listens on ${port}, and ${project}/${service} lives in ${home}. Whoever started it should ` +
    `stop it, or give it a port of its own; if it is ${service} all the same, start it in ${home}.`
  );
}

function describeListening({ port, service }: Warned, listener: Listener): string {
  return `${tell(listener)} listens on ${port} already. If that is not ${service}, take another port, or ask whoever started it to stop it.`;
}

const tell = (listener: Listener): string => tellListener(listener) ?? 'A process that cannot be seen from here';
