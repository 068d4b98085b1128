/**
 * Ports on which somebody listens
 * ===============================
 *
 * A port that is free in the registry may be taken on the machine all the same: by a process that never asked here. On
 * the machine that this process runs on, a new port is one on which a server could listen at that moment. That is found
 * out by trying to listen (../machine/try-to-listen.ts), never within the transaction, because the transaction holds the
 * project's lock. So the ports have to be tried before it is known which of them the commands will get:
 *
 *   1. Before the transaction, the ports that were free when the last transaction of the project ended are tried, as
 *      many as the commands could get, and with them the ports that the commands release.
 *   2. In the transaction, ports that turned out to be unusable are passed over. Usually the commands get ports that
 *      were tried, and all is written as ever.
 *   3. If a command gets a port that was not tried, because others released or took ports meanwhile, or because this
 *      is the first transaction of the project in this process, then nothing is written. The transaction is rolled back,
 *      the ports that it would have given out are tried, and it is made again. No port is tried twice for one batch, so
 *      this ends.
 *
 * A command that asks for a particular port gets it, whoever listens there: it may be the very service that the port is
 * for. A port that is held never moves. And somebody may begin to listen between the trial and the moment at which the
 * service starts, which nobody can prevent.
 */
import { LRUCache } from 'lru-cache';
import { distinctSpaces, isSameSpace, type Space } from '../keys.js';
import type { Needs } from './command.js';
import type { PortSpace, TriedPorts } from './port-space.js';

/** The machine that this process runs on, as far as its ports are given out here. */
export interface Machine {
  /** Whether the ports of this space are those of this machine, so that they can be tried. */
  has(space: Space): boolean;
  /** The ports on which no server could listen now. */
  findUnusable(protocol: Space['protocol'], ports: readonly number[]): Promise<ReadonlySet<number>>;
}

/** For ports that nobody can try: those of other machines, and all of them with AVOID_LISTENING=false. */
export const NO_MACHINE: Machine = { has: () => false, findUnusable: async () => new Set() };

/** Commands would get ports that were not tried. Nothing was written. */
export class UntriedPortsError extends Error {
  override readonly name = 'UntriedPortsError';

  /** @param untried the ports that have to be tried, and the free ones that come next */
  constructor(readonly untried: (Space & { ports: number[]; next: number[] })[]) {
    super('Ports have to be tried before they are given out');
  }
}

/**
 * Refuses to go on if a command would get a port that was not tried.
 * @throws UntriedPortsError
 */
export function requireTried(spaces: readonly PortSpace[]): void {
  const untried = spaces
    .filter(({ untried: ports }) => ports.length > 0)
    .map(({ facts: { host, protocol }, untried: ports, next }) => ({ host, protocol, ports, next }));
  if (untried.length > 0) throw new UntriedPortsError(untried);
}

/** How many free ports more than the commands need are read, so that the next transaction knows what to try. */
const SPARE = 8;
const MAX_PROJECTS = 1000;
/** The free ports that are remembered of one port space. */
const MAX_REMEMBERED = 512;

/** Which ports of each project were free when its last transaction in this process ended. It only saves transactions. */
export class FreePortMemory {
  readonly #ports = new LRUCache<string, Map<string, number[]>>({ max: MAX_PROJECTS });

  get(project: string, space: Space): readonly number[] {
    return this.#ports.get(project)?.get(nameOf(space)) ?? [];
  }

  set(project: string, space: Space, ports: readonly number[]): void {
    const spaces = this.#ports.get(project) ?? new Map<string, number[]>();
    spaces.set(nameOf(space), ports.slice(0, MAX_REMEMBERED));
    this.#ports.set(project, spaces);
  }
}

/** The trials for one execution of commands. */
export class Trials {
  readonly #tried = new Map<string, { usable: Set<number>; unusable: Set<number> }>();
  #spare = SPARE;

  constructor(private readonly machine: Machine) {}

  /** What has been found out about a port space; null if its ports cannot be tried, so that each counts as usable. */
  of(space: Space): TriedPorts | null {
    return this.machine.has(space) ? this.#of(space) : null;
  }

  /** How many free ports have to be read for `wanted` of them, so that enough are left without the unusable ones. */
  readonly countToRead = (space: Space, wanted: number): number => {
    const tried = this.of(space);
    return tried && wanted > 0 ? wanted + tried.unusable.size + this.#spare : wanted;
  };

  /**
   * Tries what the commands will get, if nothing has changed since the last transaction of the project: its lowest free
   * ports, until enough of them are usable, and the ports that the commands release, which they may also get.
   */
  async tryExpected(project: string, needs: readonly Needs[], memory: FreePortMemory): Promise<void> {
    const takes = needs.flatMap((need) => need.takes ?? []).filter(({ port }) => port === null);
    for (const space of distinctSpaces(takes).filter((taken) => this.machine.has(taken))) {
      const isHere = (other: Space) => isSameSpace(space, other);
      const here = takes.filter(isHere);
      const released = needs.flatMap((need) => need.frees ?? []).filter(isHere);
      const free = memory.get(project, space);
      // Only where it is known to be free: somebody else's service may be about to start on any other number.
      const preferred = here.flatMap(({ prefer }) => prefer ?? []).filter((port) => free.includes(port));
      await this.#try(space, [...preferred, ...released.map(({ port }) => port)]);
      await this.#tryLowest(space, free, here.length);
    }
  }

  /** Tries free ports in their order until `wanted` of them are usable. */
  async #tryLowest(space: Space, free: readonly number[], wanted: number): Promise<void> {
    const { unusable } = this.#of(space);
    for (let next = 0, missing = wanted; missing > 0 && next < free.length; ) {
      const some = free.slice(next, next + missing);
      await this.#try(space, some);
      next += some.length;
      missing -= some.filter((port) => !unusable.has(port)).length;
    }
  }

  /** Remembers which ports are free now that a transaction has ended. */
  remember(project: string, spaces: readonly PortSpace[], memory: FreePortMemory): void {
    for (const { facts: space, free, givenBack } of spaces.filter(({ facts }) => this.machine.has(facts))) {
      const known = free ?? [...new Set([...memory.get(project, space), ...givenBack])].sort((a, b) => a - b);
      memory.set(project, space, known);
    }
  }

  /** Tries those of the ports that were not tried yet. */
  async #try(space: Space, ports: readonly number[]): Promise<void> {
    const { usable, unusable } = this.#of(space);
    const untried = ports.filter((port) => !usable.has(port) && !unusable.has(port));
    if (untried.length === 0) return;
    const found = await this.machine.findUnusable(space.protocol, untried);
    for (const port of untried) (found.has(port) ? unusable : usable).add(port);
  }

  /**
   * Tries what a transaction could not give out, with some of the ports that come next, and lets the next transaction
   * read more ports than this one. Not all that come next: for one number of two protocols every free port was read.
   */
  async tryAgain({ untried }: UntriedPortsError): Promise<void> {
    this.#spare *= 2;
    for (const { ports, next, ...space } of untried) await this.#try(space, [...ports, ...next.slice(0, this.#spare)]);
  }

  #of(space: Space) {
    const tried = this.#tried.get(nameOf(space)) ?? { usable: new Set<number>(), unusable: new Set<number>() };
    this.#tried.set(nameOf(space), tried);
    return tried;
  }
}

const nameOf = ({ host, protocol }: Space) => `${protocol} ${host}`;
