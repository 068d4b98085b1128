import type { AllocationRow } from '../database/tables.js';
import type { Holder } from '../errors.js';
import * as refusals from '../refusals.js';
import type { AllocationKey } from './commands.js';

export interface CoolingPort {
  port: number;
  project: string;
  service: string;
  environment: string;
  available_at: Date;
}

/** A project's ports on one host and protocol, as far as its commands need to know them. */
export interface SpaceSnapshot {
  host: string;
  protocol: 'tcp' | 'udp';
  /** The lowest free ports, ascending: as many as the commands could take, or all that there are. */
  free: number[];
  /** Also those under a reservation: they go on cooling when it ends. */
  cooling: CoolingPort[];
  /** Who holds each port that was asked for by number, by allocation or by reservation. */
  holders: { port: number; holder: Holder }[];
  /** All that are active; looked up only when a reservation could matter beyond `holders`. */
  reserved: { port: number; holder: Holder; expires_at: Date }[];
}

interface RangeBounds {
  start_port: number;
  end_port: number;
  reuse_cooldown_seconds: number;
}

interface Reserved {
  id: string;
  service: string | null;
}

/** Who asks for a port. A reservation may name no service, and names no environment. */
interface Taker {
  service: string | null;
  environment: string | null;
}

/** The ports of one project on one host and protocol: which one a caller may have, and who has it. */
export class PortSpace {
  readonly #free: number[];
  readonly #cooling = new Map<number, CoolingPort>();
  readonly #holders = new Map<number, Holder>();
  readonly #reservedUntil = new Map<number, Date>();

  constructor(
    private readonly project: string,
    private readonly ranges: RangeBounds[],
    private readonly now: Date,
    private readonly snapshot: SpaceSnapshot,
  ) {
    this.#free = [...snapshot.free];
    for (const cooling of snapshot.cooling) this.#cooling.set(cooling.port, cooling);
    for (const { port, holder, expires_at } of snapshot.reserved) this.reserve(port, holder, expires_at);
    for (const { port, holder } of snapshot.holders) this.#holders.set(port, holder);
  }

  holderOf(port: number): Holder | undefined {
    return this.#holders.get(port);
  }

  lowestFree(): number {
    const port = this.#free[0];
    if (port === undefined) {
      throw refusals.rangeExhausted(this.project, this.snapshot, this.ranges, this.#nextAvailableAt());
    }
    return port;
  }

  /** The key's own port that is still cooling down, if there is one; else the lowest free one. */
  lowestFor(key: AllocationKey): number {
    return this.#lowestCoolingOf(key) ?? this.lowestFree();
  }

  /**
   * `port`, if the taker may have it.
   * @param reservation the taker's own reservation of it
   */
  demand(port: number, taker: Taker, reservation?: Reserved): number {
    if (!this.#rangeOf(port)) throw refusals.portOutsideRange(this.project, port, this.ranges);
    const holder = this.#holders.get(port);
    if (holder && holder.id !== reservation?.id) throw refusals.portTaken(port, this.snapshot, holder);
    const cooling = this.#cooling.get(port);
    const isKept = cooling && !(reservation && this.#isRaisedLater(cooling, reservation));
    if (isKept && !this.#isOwner(cooling, taker)) throw refusals.portCooling(this.snapshot, cooling);
    return port;
  }

  /** Refuses unless each of the keys, none of which holds a port, would get one. */
  demandRoom(keys: AllocationKey[]): void {
    const needed = keys.filter((key) => this.#lowestCoolingOf(key) === undefined).length;
    if (needed > this.#free.length) {
      throw refusals.rangeExhausted(this.project, this.snapshot, this.ranges, this.#nextAvailableAt(), {
        needed,
        free: this.#free.length,
      });
    }
  }

  allocate(port: number, holder: Holder): void {
    this.#hold(port, holder);
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
      this.#free.push(port);
      this.#free.sort((a, b) => a - b);
    }
  }

  /** Also moves the end of a reservation. */
  reserve(port: number, holder: Holder, until: Date): void {
    this.#hold(port, holder);
    this.#reservedUntil.set(port, until);
  }

  /** Gives up a reservation: what cooled under it cools on. */
  cancel(port: number): void {
    this.#holders.delete(port);
    this.#reservedUntil.delete(port);
    if (this.#cooling.has(port) || !this.#rangeOf(port)) return;
    this.#free.push(port);
    this.#free.sort((a, b) => a - b);
  }

  #hold(port: number, holder: Holder): void {
    const place = this.#free.indexOf(port);
    if (place >= 0) this.#free.splice(place, 1);
    this.#holders.set(port, holder);
  }

  #lowestCoolingOf(key: AllocationKey): number | undefined {
    let lowest: number | undefined;
    for (const cooling of this.#cooling.values()) {
      const { port } = cooling;
      if (this.#isOwner(cooling, key) && !this.#holders.has(port) && port < (lowest ?? Infinity)) lowest = port;
    }
    return lowest;
  }

  #isOwner({ project, service, environment }: CoolingPort, taker: Taker): boolean {
    return (
      project === this.project &&
      service === taker.service &&
      (taker.environment === null || environment === taker.environment)
    );
  }

  /**
   * Whether the range's cooldown was raised after the port had been reserved: while it cools, a port is reserved only for
   * the service that it is kept for. A reservation is a hold that can be claimed, so this takes nothing from it.
   */
  #isRaisedLater({ project, service }: CoolingPort, reservation: Reserved): boolean {
    return project !== this.project || service !== reservation.service;
  }

  #rangeOf(port: number): RangeBounds | undefined {
    return this.ranges.find((range) => range.start_port <= port && port <= range.end_port);
  }

  /** When a port comes free by itself: a reservation ends, a cooldown passes, or both. */
  #nextAvailableAt(): Date | null {
    const times = [...new Set([...this.#cooling.keys(), ...this.#reservedUntil.keys()])].map((port) =>
      Math.max(this.#cooling.get(port)?.available_at.getTime() ?? 0, this.#reservedUntil.get(port)?.getTime() ?? 0),
    );
    return times.length > 0 ? new Date(Math.min(...times)) : null;
  }
}
