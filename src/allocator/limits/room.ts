import type { ProjectLimits, RefusedKind } from '../../config/project-limits.js';
import * as refusals from '../../refusals.js';

/** The host and the environment that do not count: every project may use these, whatever the limits are. */
export const UNCOUNTED_HOST = 'localhost';
export const UNCOUNTED_ENVIRONMENT = 'default';

/** What look.ts has read about the limits of the project. */
export interface RoomFacts {
  limits: ProjectLimits;
  /** How many more the project may have. Hosts and environments were counted only if the commands name a new one. */
  left: Record<RefusedKind, number>;
  /** Hosts that commands name and on which the project neither holds nor reserves a port yet. */
  newHosts: string[];
  /** Environments that commands name and in which the project holds no port yet. */
  newEnvironments: string[];
}

/**
 * How much the commands of one transaction may still add to what the project holds. A host or environment counts once,
 * however many ports it has. What a command of the same transaction releases makes no room for the commands after it.
 */
export class Room {
  readonly #limits: ProjectLimits;
  readonly #left: Record<RefusedKind, number>;
  readonly #new: { hosts: Set<string>; environments: Set<string> };

  constructor(
    readonly project: string,
    { limits, left, newHosts, newEnvironments }: RoomFacts,
  ) {
    this.#limits = limits;
    this.#left = { ...left };
    this.#new = { hosts: new Set(newHosts), environments: new Set(newEnvironments) };
  }

  /** @throws AppError limit-reached */
  requireRow(kind: 'reservations' | 'idempotencyKeys'): void {
    if (this.#left[kind] < 1) throw refusals.limitReached(kind, this.#limits[kind], this.project);
  }

  addRow(kind: 'reservations' | 'idempotencyKeys'): void {
    this.#left[kind] -= 1;
  }

  /**
   * @param environment null for a reservation, which has none
   * @throws AppError limit-reached
   */
  requirePlace(host: string, environment: string | null): void {
    this.#requireNamed('hosts', host);
    if (environment !== null) this.#requireNamed('environments', environment);
  }

  addPlace(host: string, environment: string | null): void {
    if (this.#new.hosts.delete(host)) this.#left.hosts -= 1;
    if (environment !== null && this.#new.environments.delete(environment)) this.#left.environments -= 1;
  }

  #requireNamed(kind: 'hosts' | 'environments', name: string): void {
    if (!this.#new[kind].has(name) || this.#left[kind] >= 1) return;
    throw refusals.limitReached(kind, this.#limits[kind], this.project);
  }
}
