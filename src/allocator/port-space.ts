import type { AllocationRow, ReservationRow } from '../database/tables.js';
import type { Holder } from '../errors.js';
import type { Space } from '../keys.js';
import * as refusals from '../refusals.js';

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

/** What was read of a project's ports on one host and protocol, as far as the commands need it. */
export interface SpaceFacts extends Space {
  /** The lowest free ports, ascending: as many as the commands could take, or all that there are. */
  free: number[];
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
  readonly #free: number[];
  readonly #cooling: Map<number, CoolingPort>;
  readonly #holders = new Map<number, Holder>();
  readonly #reservedUntil = new Map<number, Date>();

  constructor(
    private readonly project: string,
    private readonly ranges: RangeBounds[],
    private readonly now: Date,
    private readonly facts: SpaceFacts,
  ) {
    this.#free = [...facts.free];
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

  /** @throws AppError range-exhausted */
  lowestFree(): number {
    const port = this.#free[0];
    if (port === undefined) throw this.#exhausted({ needed: 1, free: 0 });
    return port;
  }

  /**
   * The port that still cools down for this very taker, if there is one, so that a service that comes back gets its old
   * number; else the lowest free one.
   * @throws AppError range-exhausted
   */
  lowestFor(taker: Taker): number {
    return this.#lowestCoolingFor(taker) ?? this.lowestFree();
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
    this.#holders.set(port, holder);
  }

  #giveBack(port: number): void {
    this.#free.push(port);
    this.#free.sort((a, b) => a - b);
  }

  #lowestCoolingFor(taker: Taker): number | undefined {
    let lowest: number | undefined;
    for (const cooling of this.#cooling.values()) {
      const { port } = cooling;
      if (this.#coolsFor(cooling, taker) && !this.#holders.has(port) && port < (lowest ?? Infinity)) lowest = port;
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

  #exhausted(short: { needed: number; free: number }) {
    return refusals.rangeExhausted(this.project, this.facts, this.ranges, this.#nextAvailableAt(), short);
  }

  /** When the next port comes free by itself: its reservation ends, its cooldown passes, or the later of both. */
  #nextAvailableAt(): Date | null {
    const times = [...new Set([...this.#cooling.keys(), ...this.#reservedUntil.keys()])].map((port) =>
      Math.max(this.#cooling.get(port)?.available_at.getTime() ?? 0, this.#reservedUntil.get(port)?.getTime() ?? 0),
    );
    return times.length > 0 ? new Date(Math.min(...times)) : null;
  }
}
