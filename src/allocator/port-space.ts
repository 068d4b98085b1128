import type { AllocationRow, ReservationRow } from '../database/tables.js';
import type { Holder } from '../errors.js';
import type { Space } from '../keys.js';
import * as refusals from './port-refusals.js';

export interface RangeBounds {
  start_port: number;
  end_port: number;
  reuse_cooldown_seconds: number;
}

/** A released port that is kept, until `available_at`, for the service that released it. */
export interface CoolingPort {
  port: number;
  project: string;
  service: string;
  environment: string;
  available_at: Date;
}

/** Which ports of a port space were tried, and on which of them a server could listen (trials.ts). */
export interface TriedPorts {
  readonly usable: ReadonlySet<number>;
  readonly unusable: ReadonlySet<number>;
}

/** What was read of a project's ports on one host and protocol, as far as the commands need it. */
export interface SpaceFacts extends Space {
  /** The lowest free ports, ascending: as many as the commands could take, or all that there are. */
  free: number[];
  /** Whether `free` was read at all. */
  isFreeRead: boolean;
  /** What is known of the ports on this machine; null if they are not on this machine, and so cannot be tried. */
  tried: TriedPorts | null;
  /** Also those under a reservation: they go on cooling when it ends. */
  cooling: CoolingPort[];
  /** The allocation or reservation that each port has which a command asks for by number. */
  holders: { port: number; holder: Holder }[];
  /** All active reservations. Read only where one could matter that is not among `holders`. */
  reserved: { port: number; holder: Holder; expires_at: Date }[];
}

/**
 * For whom a port is asked: a service in an environment. A reservation names no environment, and need not name a
 * service.
 */
interface Taker {
  service: string | null;
  environment: string | null;
}

/** One project's ports on one host and protocol: which are free, who has the others, and which cool down. */
export class PortSpace {
  /** Free in the registry and, as far as the ports were tried, usable. Ascending. */
  readonly #free: number[];
  /** Free in the registry, and no server could listen there now. */
  readonly #unusable: Set<number>;
  /** Ports that were given out to whoever asked for any port, and that were not tried. */
  readonly #untried = new Set<number>();
  readonly #cooling: Map<number, CoolingPort>;
  readonly #holders = new Map<number, Holder>();
  readonly #reservedUntil = new Map<number, Date>();

  constructor(
    private readonly project: string,
    private readonly ranges: RangeBounds[],
    private readonly now: Date,
    private readonly excluded: ReadonlySet<number>,
    readonly facts: SpaceFacts,
  ) {
    this.#free = facts.free.filter((port) => !facts.tried?.unusable.has(port));
    this.#unusable = new Set(facts.free.filter((port) => facts.tried?.unusable.has(port)));
    this.#cooling = new Map(facts.cooling.map((cooling) => [cooling.port, cooling]));
    for (const { port, holder, expires_at } of facts.reserved) {
      this.#take(port, holder);
      this.#reservedUntil.set(port, expires_at);
    }
    for (const { port, holder } of facts.holders) this.#holders.set(port, holder);
  }

  holderOf(port: number): Holder | undefined {
    return this.#holders.get(port);
  }

  /** Ports that have to be tried before they are given out. None if all is well. */
  get untried(): number[] {
    return [...this.#untried];
  }

  /** The free ports that come after those of `untried`, ascending. */
  get next(): number[] {
    const lowest = Math.min(...this.#untried);
    return this.#free.filter((port) => port > lowest && !this.#untried.has(port));
  }

  /** The ports that are free in the registry by now, ascending, as far as was read; null if none of them were read. */
  get free(): number[] | null {
    return this.facts.isFreeRead ? [...this.#free, ...this.#unusable].sort(ascending) : null;
  }

  /** Ports that commands have released, so that they are free in the registry. */
  readonly givenBack: number[] = [];

  /** @throws AppError range-exhausted */
  lowestFree(): number {
    const port = this.#free[0];
    if (port === undefined) throw this.#exhausted({ needed: 1, free: 0 });
    return this.#giveOut(port);
  }

  /**
   * The port that still cools down for this very taker, if there is one, so that a service that comes back gets its old
   * number; else the lowest free one.
   * @throws AppError range-exhausted
   */
  lowestFor(taker: Taker): number {
    const cooling = this.#lowestCoolingFor(taker);
    return cooling === undefined ? this.lowestFree() : this.#giveOut(cooling);
  }

  /** Whether the taker could get this port without asking for it by its number. Give ports whose holders were read. */
  isFreeFor(port: number, taker: Taker): boolean {
    const cooling = this.#cooling.get(port);
    return (
      this.#rangeOf(port) !== undefined &&
      !this.#holders.has(port) &&
      !this.#isGivenByNumberOnly(port) &&
      (cooling === undefined || this.#coolsFor(cooling, taker))
    );
  }

  /** The same port if the taker could get it without asking for it by its number. Null if not. */
  preferredFor(port: number, taker: Taker): number | null {
    return this.isFreeFor(port, taker) ? this.#giveOut(port) : null;
  }

  /**
   * The lowest port that is free here and in another port space, of which every free port was read too.
   * @throws AppError range-exhausted
   */
  lowestFreeIn(other: PortSpace): number {
    const freeThere = new Set(other.#free);
    const port = this.#free.find((free) => freeThere.has(free));
    if (port === undefined) throw this.#exhausted({ needed: 1, free: 0 }, other);
    other.#giveOut(port);
    return this.#giveOut(port);
  }

  /**
   * @param reservation the taker's own reservation of the port
   * @returns the port, if the taker may have it
   * @throws AppError port-outside-range, port-taken
   */
  requirePort(port: number, taker: Taker, reservation?: Pick<ReservationRow, 'id' | 'service'>): number {
    if (!this.#rangeOf(port)) throw refusals.portOutsideRange(this.project, port, this.ranges);
    const holder = this.#holders.get(port);
    if (holder && holder.id !== reservation?.id) throw refusals.portTaken(port, this.facts, holder);
    const cooling = this.#cooling.get(port);
    if (
      cooling &&
      !this.#coolsFor(cooling, taker) &&
      !(reservation && this.#isOlderThanCooldown(cooling, reservation))
    ) {
      throw refusals.portCooling(this.facts, cooling);
    }
    return port;
  }

  /**
   * Refuses unless there is a port for each of the takers. Give only takers that hold none yet.
   * @throws AppError range-exhausted
   */
  requireRoom(takers: Taker[]): void {
    const needed = takers.filter((taker) => this.#lowestCoolingFor(taker) === undefined).length;
    const free = this.#free.length;
    if (needed > free) throw this.#exhausted({ needed, free });
  }

  allocate({ id, port, project, service, environment }: AllocationRow): void {
    this.#take(port, { kind: 'allocation', id, project, service, environment });
    this.#reservedUntil.delete(port);
    this.#cooling.delete(port);
  }

  release({ port, project, service, environment }: AllocationRow): void {
    this.#holders.delete(port);
    const range = this.#rangeOf(port);
    if (!range) return;
    if (range.reuse_cooldown_seconds > 0) {
      const available_at = new Date(this.now.getTime() + range.reuse_cooldown_seconds * 1000);
      this.#cooling.set(port, { port, project, service, environment, available_at });
    } else {
      this.#giveBack(port);
    }
  }

  reserve({ id, port, project, service, expires_at }: ReservationRow): void {
    this.#take(port, { kind: 'reservation', id, project, service, environment: null });
    this.#reservedUntil.set(port, expires_at);
  }

  extendReservation(port: number, until: Date): void {
    this.#reservedUntil.set(port, until);
  }

  /** Ends a reservation. A port that cooled down under it goes on cooling. */
  cancel(port: number): void {
    this.#holders.delete(port);
    this.#reservedUntil.delete(port);
    if (!this.#cooling.has(port) && this.#rangeOf(port)) this.#giveBack(port);
  }

  #take(port: number, holder: Holder): void {
    const index = this.#free.indexOf(port);
    if (index >= 0) this.#free.splice(index, 1);
    this.#unusable.delete(port);
    this.#holders.set(port, holder);
  }

  #giveBack(port: number): void {
    if (this.excluded.has(port)) return;
    this.givenBack.push(port);
    if (this.facts.tried?.unusable.has(port)) {
      this.#unusable.add(port);
      return;
    }
    this.#free.push(port);
    this.#free.sort(ascending);
  }

  /** Notes a port that was not tried. The transaction is then repeated after it was. */
  #giveOut(port: number): number {
    const { tried } = this.facts;
    if (tried && !tried.usable.has(port)) this.#untried.add(port);
    return port;
  }

  /** Whether nobody gets the port who does not ask for it by its number, although nobody holds it. */
  #isGivenByNumberOnly(port: number): boolean {
    return this.excluded.has(port) || this.facts.tried?.unusable.has(port) === true;
  }

  #lowestCoolingFor(taker: Taker): number | undefined {
    let lowest: number | undefined;
    for (const cooling of this.#cooling.values()) {
      const { port } = cooling;
      if (!this.#coolsFor(cooling, taker) || this.#holders.has(port) || this.#isGivenByNumberOnly(port)) continue;
      if (port < (lowest ?? Infinity)) lowest = port;
    }
    return lowest;
  }

  #coolsFor({ project, service, environment }: CoolingPort, taker: Taker): boolean {
    return (
      project === this.project &&
      service === taker.service &&
      (taker.environment === null || environment === taker.environment)
    );
  }

  /**
   * Whether the port cools down for somebody else than the reservation names. A port that cools down can be reserved
   * only for the service that released it, so this is possible only where the range's cooldown was raised after the
   * reservation had been made. Then the reservation wins, because it was promised that it can be claimed.
   */
  #isOlderThanCooldown({ project, service }: CoolingPort, reservation: Pick<ReservationRow, 'service'>): boolean {
    return project !== this.project || service !== reservation.service;
  }

  #rangeOf(port: number): RangeBounds | undefined {
    return this.ranges.find((range) => range.start_port <= port && port <= range.end_port);
  }

  #exhausted(short: { needed: number; free: number }, other?: PortSpace) {
    const spaces = other ? [this.facts, other.facts] : [this.facts];
    return refusals.rangeExhausted(this.project, spaces, this.ranges, {
      ...short,
      nextAvailableAt: this.#nextAvailableAt(),
      excluded: this.excluded.size,
      unusable: new Set([...this.#unusable, ...(other ? other.#unusable : [])]).size,
    });
  }

  /** When the next port comes free by itself: its reservation ends, its cooldown passes, or the later of both. */
  #nextAvailableAt(): Date | null {
    const ports = new Set([...this.#cooling.keys(), ...this.#reservedUntil.keys()]);
    const times = [...ports]
      .filter((port) => !this.excluded.has(port))
      .map((port) =>
        Math.max(this.#cooling.get(port)?.available_at.getTime() ?? 0, this.#reservedUntil.get(port)?.getTime() ?? 0),
      );
    return times.length > 0 ? new Date(Math.min(...times)) : null;
  }
}

const ascending = (a: number, b: number): number => a - b;
