import type { ProjectCommand } from '../../src/allocator/decide.js';

export const PROJECT = 'odin';
export const FIRST = 3300;
/** How many ports of the range the commands can use. They are few, so that they run out. The others are always held. */
export const ROOM = 4;

type Protocol = 'tcp' | 'udp';
export interface ModelAllocation {
  id: string;
  port: number;
  service: string;
  environment: string;
  protocol: Protocol;
  active: boolean;
}
export interface ModelReservation {
  id: string;
  port: number;
  service: string | null;
  protocol: Protocol;
  status: 'active' | 'claimed' | 'cancelled' | 'expired';
  allocation: ModelAllocation | null;
}
interface Owner {
  service: string | null;
  environment: string | null;
}

/** The part of an outcome that is compared: a refusal's code, or ports and states. */
export type Expected = string;

/**
 * A simple model of the registry: one project, one command at a time, every rule spelled out without regard to speed. A
 * batch of commands in the service must have the same results as the same commands here, one after another.
 */
export class Model {
  readonly allocations: ModelAllocation[] = [];
  readonly reservations: ModelReservation[] = [];
  /** The service and environment that released each cooling port, by protocol and port. */
  readonly cooling = new Map<string, { service: string; environment: string }>();

  constructor(private readonly cooldown: boolean) {}

  /** @returns the expected outcome, and the new objects, whose ids are to be filled in from the real outcome */
  apply(command: ProjectCommand): { expected: Expected; created: (ModelAllocation | ModelReservation)[] } {
    switch (command.kind) {
      case 'get-or-allocate': {
        const held = this.#held(command.key);
        if (held) return { expected: `held ${held.port}`, created: [] };
        return this.#made('new', this.#takeLowest(command.key));
      }
      case 'allocate': {
        const port = command.port;
        if (port === null) return this.#made('new', this.#takeLowest(command.key));
        const obstacle = this.#obstacle(command.key.protocol, port, command.key);
        if (obstacle) return { expected: obstacle, created: [] };
        return this.#made('new', this.#hold(command.key, port));
      }
      case 'release-service':
        return this.#released(this.#active().filter((held) => isKey(held, command.key)));
      case 'release-environment':
        return this.#released(
          this.#active().filter(
            (held) => held.environment === command.environment && held.protocol === command.protocol,
          ),
        );
      case 'allocate-environment': {
        const before = { allocations: [...this.allocations], cooling: new Map(this.cooling) };
        const created: ModelAllocation[] = [];
        const ports: number[] = [];
        for (const { key } of command.services) {
          const held = this.#held(key) ?? this.#takeLowest(key);
          if (held === null) {
            this.allocations.splice(0, Infinity, ...before.allocations);
            this.cooling.clear();
            for (const [place, owner] of before.cooling) this.cooling.set(place, owner);
            return { expected: 'range-exhausted', created: [] };
          }
          if (held.id === '') created.push(held);
          ports.push(held.port);
        }
        return { expected: `${created.length > 0 ? 'new' : 'held'} ${ports.join(' ')}`, created };
      }
      case 'reserve': {
        const free = this.#free(command.protocol);
        const port = command.port ?? free[0];
        if (port === undefined) return { expected: 'range-exhausted', created: [] };
        const owner = { service: command.service, environment: null };
        const obstacle = command.port === null ? null : this.#obstacle(command.protocol, port, owner);
        if (obstacle) return { expected: obstacle, created: [] };
        const { service, protocol } = command;
        const made: ModelReservation = { id: '', port, service, protocol, status: 'active', allocation: null };
        this.reservations.push(made);
        return { expected: `reserved ${port}`, created: [made] };
      }
      case 'claim-reservation': {
        const reservation = this.#find(command.reservationId);
        if (reservation.allocation) return { expected: `held ${reservation.port}`, created: [] };
        const ended = endOf(reservation);
        if (ended) return { expected: ended, created: [] };
        const service = command.service ?? reservation.service;
        if (service === null) return { expected: 'validation-failed', created: [] };
        const { port, protocol } = reservation;
        const key = { service, environment: command.environment, protocol };
        if (!this.#mayHaveCooling(protocol, port, key)) return { expected: 'port-taken', created: [] };
        reservation.status = 'claimed';
        reservation.allocation = this.#hold(key, port);
        return this.#made('new', reservation.allocation);
      }
      case 'cancel-reservation': {
        const reservation = this.#find(command.reservationId);
        if (reservation.status === 'active') reservation.status = 'cancelled';
        return { expected: reservation.status, created: [] };
      }
      case 'renew-reservation':
        return { expected: endOf(this.#find(command.reservationId)) ?? 'active', created: [] };
      case 'adopt': {
        const held = this.#active().find((one) => one.port === command.port && one.protocol === command.protocol);
        if (held) {
          // An earlier import may have given the service a numbered name, such as `web-2`. That one is found again.
          const { service } = command;
          const isMeant = service === null || held.service.replace(/-\d+$/, '') === service;
          return { expected: `${isMeant ? 'held' : 'conflict'} ${held.service}`, created: [] };
        }
        const base = command.service ?? command.processName ?? `port-${command.port}`;
        const place = { environment: 'default', protocol: command.protocol };
        let service = base;
        for (let n = 2; this.#held({ ...place, service }); n++) service = `${base}-${n}`;
        if (this.#obstacle(command.protocol, command.port, { service, environment: 'default' })) {
          return { expected: 'conflict', created: [] };
        }
        return { ...this.#made('', this.#hold({ ...place, service }, command.port)), expected: `adopted ${service}` };
      }
      default:
        throw new Error(`${command.kind} is not modelled`);
    }
  }

  expire(reservation: ModelReservation): void {
    if (reservation.status === 'active') reservation.status = 'expired';
  }

  /** What is held and reserved, and how many ports are cooling down, as texts to compare. */
  describe(): string[] {
    const cooling = ['tcp', 'udp'].map((protocol) => {
      const count = ports().filter(
        (port) => this.cooling.has(`${protocol} ${port}`) && !this.#reserved(protocol, port),
      );
      return `${protocol} cooling ${count.length}`;
    });
    return [
      ...this.#active().map((held) => `${held.protocol} ${held.port} ${held.service} ${held.environment}`),
      ...this.reservations
        .filter(({ status }) => status === 'active')
        .map(({ protocol, port, service }) => `${protocol} ${port} for ${service}`),
      ...cooling,
    ].sort();
  }

  #made(how: string, held: ModelAllocation | null) {
    if (held === null) return { expected: 'range-exhausted', created: [] };
    return { expected: `${how} ${held.port}`, created: [held] };
  }

  #released(held: ModelAllocation[]) {
    for (const one of held) {
      one.active = false;
      if (this.cooldown) this.cooling.set(`${one.protocol} ${one.port}`, one);
    }
    const released = held.map(({ port }) => port).sort((a, b) => a - b);
    return { expected: `released ${released.join(' ')}`, created: [] };
  }

  #takeLowest(key: { service: string; environment: string; protocol: Protocol }): ModelAllocation | null {
    const own = ports().find((port) => {
      const owner = this.cooling.get(`${key.protocol} ${port}`);
      return owner && !this.#reserved(key.protocol, port) && this.#mayHaveCooling(key.protocol, port, key);
    });
    const port = own ?? this.#free(key.protocol)[0];
    return port === undefined ? null : this.#hold(key, port);
  }

  #hold(
    { service, environment, protocol }: { service: string; environment: string; protocol: Protocol },
    port: number,
  ) {
    const held = { id: '', port, service, environment, protocol, active: true };
    this.cooling.delete(`${protocol} ${port}`);
    this.allocations.push(held);
    return held;
  }

  #held(key: { service: string; environment: string; protocol: Protocol }): ModelAllocation | undefined {
    return this.#active()
      .filter((held) => isKey(held, key))
      .sort((a, b) => a.port - b.port)[0];
  }

  #active = () => this.allocations.filter(({ active }) => active);
  #reserved = (protocol: string, port: number) =>
    this.reservations.some((one) => one.status === 'active' && one.protocol === protocol && one.port === port);
  #isHeld = (protocol: string, port: number) =>
    this.#active().some((held) => held.protocol === protocol && held.port === port);

  #free(protocol: string): number[] {
    return ports().filter(
      (port) =>
        !this.#isHeld(protocol, port) && !this.#reserved(protocol, port) && !this.cooling.has(`${protocol} ${port}`),
    );
  }

  #obstacle(protocol: string, port: number, owner: Owner): Expected | null {
    if (port < FIRST || port > FIRST + 99) return 'port-outside-range';
    if (port >= FIRST + ROOM || this.#isHeld(protocol, port) || this.#reserved(protocol, port)) return 'port-taken';
    return this.#mayHaveCooling(protocol, port, owner) ? null : 'port-taken';
  }

  #mayHaveCooling(protocol: string, port: number, { service, environment }: Owner): boolean {
    const owner = this.cooling.get(`${protocol} ${port}`);
    return !owner || (owner.service === service && (environment === null || owner.environment === environment));
  }

  #find(id: string): ModelReservation {
    const found = this.reservations.find((one) => one.id === id);
    if (!found) throw new Error(`no reservation ${id}`);
    return found;
  }
}

function endOf({ status }: ModelReservation): Expected | null {
  if (status === 'expired') return 'reservation-expired';
  return status === 'active' ? null : 'reservation-ended';
}

const ports = () => Array.from({ length: ROOM }, (_, i) => FIRST + i);

function isKey(held: ModelAllocation, key: { service: string; environment: string; protocol: string }): boolean {
  return held.service === key.service && held.environment === key.environment && held.protocol === key.protocol;
}
