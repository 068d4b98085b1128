import type { ReservationRow } from '../database/tables.js';
import { AppError } from '../errors.js';
import * as refusals from '../refusals.js';
import type { AllocationDetails } from '../schemas/allocation.js';
import { adopt } from './adoption.js';
import type {
  AllocateEnvironment,
  AllocationKey,
  Claim,
  IdempotencyClaim,
  Outcome,
  ProjectCommand,
  ReleaseEnvironment,
} from './commands.js';
import { Holdings, type Writes } from './holdings.js';
import { toAllocation, toReservation } from './rows.js';
import type { Snapshot } from './snapshot.js';

/**
 * Decides commands one after another, in the order given, as if each had been a transaction of its own.
 * Pure: it sees the snapshot and nothing else, so that a batch of one and a batch of many are the same.
 */
export class Ledger {
  readonly #holdings: Holdings;
  readonly #answers = new Map<string, { requestHash: string; response: object }>();
  /** Of names that imports wanted, the number that was given last. */
  readonly #namesInUse = new Map<string, number>();

  constructor(snapshot: Snapshot) {
    this.#holdings = new Holdings(snapshot);
    for (const { caller, key, request_hash, response } of snapshot.answers) {
      this.#answers.set(answerOf(caller, key), { requestHash: request_hash, response });
    }
  }

  get writes(): Writes {
    return this.#holdings.writes;
  }

  /** A refusal changes nothing, here or in `writes`. */
  decide(command: ProjectCommand): Outcome {
    try {
      return { ok: true, value: this.#execute(command) };
    } catch (error) {
      if (error instanceof AppError) return { ok: false, error };
      throw error;
    }
  }

  #execute(command: ProjectCommand) {
    const holdings = this.#holdings;
    switch (command.kind) {
      case 'get-or-allocate':
        return this.#getOrAllocate(command.key, command.details);
      case 'allocate': {
        const { key, details, port, idempotency } = command;
        const { response, replayed } = this.#once(idempotency, () => this.#allocate(key, details, port));
        return { allocation: response, replayed };
      }
      case 'release-key':
        holdings.demandRanges();
        return [...holdings.activeOf(command.key)].map((row) => toAllocation(holdings.release(row)));
      case 'release':
        return toAllocation(holdings.release(holdings.find(command.id)));
      case 'update':
        return toAllocation(holdings.update(holdings.find(command.id), command.details));
      case 'update-key':
        return this.#updateKey(command.key, command.details);
      case 'allocate-environment':
        return this.#allocateEnvironment(command);
      case 'release-environment':
        return this.#releaseEnvironment(command);
      case 'reserve': {
        const { response, replayed } = this.#once(command.idempotency, () => {
          holdings.demandRanges();
          return { response: toReservation(holdings.reserve(command), holdings.now), created: true };
        });
        return { reservation: response, replayed };
      }
      case 'claim': {
        const { response, ...how } = this.#once(command.idempotency, () => this.#claim(command));
        return { allocation: response, ...how };
      }
      case 'cancel': {
        const row = holdings.findReservation(command.reservationId);
        if (row.status === 'active' && row.expires_at > holdings.now) holdings.cancel(row);
        return toReservation(row, holdings.now);
      }
      case 'renew': {
        const row = this.#demandActive(command.reservationId);
        holdings.renew(row, command.ttlSeconds);
        return toReservation(row, holdings.now);
      }
      case 'adopt':
        return adopt(holdings, command, this.#namesInUse);
    }
  }

  #updateKey(key: AllocationKey, details: AllocationDetails) {
    this.#holdings.demandRanges();
    const rows = this.#holdings.activeOf(key);
    if (rows.length === 0) throw refusals.keyNotFound(key);
    return rows.map((row) => toAllocation(this.#holdings.update(row, details)));
  }

  #getOrAllocate(key: AllocationKey, details: AllocationDetails) {
    this.#holdings.demandRanges();
    const existing = this.#holdings.activeOf(key)[0];
    if (existing) return { allocation: toAllocation(this.#holdings.update(existing, details)), created: false };
    return { allocation: toAllocation(this.#holdings.allocate(key, details, null)), created: true };
  }

  #allocate(key: AllocationKey, details: AllocationDetails, port: number | null) {
    this.#holdings.demandRanges();
    return { response: toAllocation(this.#holdings.allocate(key, details, port)), created: true };
  }

  /** All or nothing: once there is room for those that are missing, nothing below refuses. */
  #allocateEnvironment({ services }: AllocateEnvironment) {
    this.#holdings.demandRanges();
    const missing = services.map(({ key }) => key).filter((key) => this.#holdings.activeOf(key).length === 0);
    if (missing[0]) this.#holdings.space(missing[0]).demandRoom(missing);
    const items = services.map(({ key, details }) => this.#getOrAllocate(key, details).allocation);
    return { items, created: missing.length > 0 };
  }

  #releaseEnvironment({ environment, host, protocol }: ReleaseEnvironment) {
    this.#holdings.demandRanges();
    const rows = this.#holdings.activeIn(environment, { host, protocol });
    return rows.map((row) => toAllocation(this.#holdings.release(row)));
  }

  #claim({ reservationId, space, service, environment, details }: Claim) {
    const known = this.#holdings.findReservation(reservationId);
    if (known.status === 'claimed' && known.allocation_id !== null) {
      return { response: toAllocation(this.#holdings.find(known.allocation_id)), created: false };
    }
    const row = this.#demandActive(reservationId);
    const { host, protocol } = row;
    if ((space.host ?? host) !== host) throw refusals.reservedOnOtherHost(host);
    if ((space.protocol ?? protocol) !== protocol) throw refusals.reservedForOtherProtocol(protocol);
    const name = service ?? row.service;
    if (name === null) throw refusals.reservedForNoService();
    const allocation = this.#holdings.claim(row, { service: name, environment, host, protocol }, details);
    return { response: toAllocation(allocation), created: true };
  }

  #demandActive(id: string): ReservationRow {
    const row = this.#holdings.findReservation(id);
    const { status } = toReservation(row, this.#holdings.now);
    if (status === 'expired') throw refusals.reservationExpired(row);
    if (status !== 'active') throw refusals.reservationEnded(row);
    return row;
  }

  /** The first answer that the claim's key got, or else what `act` answers, kept if it created something. */
  #once<T extends object>(claim: IdempotencyClaim | null, act: () => { response: T; created: boolean }) {
    const answer = claim && this.#answers.get(answerOf(claim.caller, claim.key));
    if (claim && answer) {
      if (answer.requestHash !== claim.requestHash) throw refusals.idempotencyKeyReused(claim.key);
      return { response: answer.response as T, created: true, replayed: true };
    }
    const { response, created } = act();
    if (claim && created) {
      this.#answers.set(answerOf(claim.caller, claim.key), { requestHash: claim.requestHash, response });
      this.writes.answers.push({ ...claim, response });
    }
    return { response, created, replayed: false };
  }
}

const answerOf = (caller: string, key: string) => JSON.stringify([caller, key]);
