import type { Adopt } from '../../src/allocator/commands/adopt.js';
import type { Allocate } from '../../src/allocator/commands/allocate.js';
import type { AllocateBoth } from '../../src/allocator/commands/allocate-both.js';
import type { ClaimReservation } from '../../src/allocator/commands/claim-reservation.js';
import type { Reserve } from '../../src/allocator/commands/reserve.js';
import { decideAll, type Outcome, type ProjectCommand, type ResultOf } from '../../src/allocator/decide.js';
import type { Expiry } from '../../src/allocator/environments.js';
import { ProjectState } from '../../src/allocator/project-state.js';
import type { Round, Writes } from '../../src/allocator/writes.js';
import type { AppError } from '../../src/errors.js';
import type { AllocationKey } from '../../src/keys.js';
import type { AllocationDetails } from '../../src/schemas/allocation.js';
import { factsOf, PROJECT, type Rows, TCP } from './project-facts.js';

/** A command of one kind. */
export type CommandOf<Kind extends ProjectCommand['kind']> = Extract<ProjectCommand, { kind: Kind }>;

// Commands, with what most tests want for what is left out.

export const key = (service: string, given: Partial<AllocationKey> = {}): AllocationKey => {
  return { project: PROJECT, service, environment: 'default', ...TCP, ...given };
};

export function getOrAllocate(
  service: string,
  { details = {}, ...given }: Partial<AllocationKey> & { details?: AllocationDetails } = {},
): CommandOf<'get-or-allocate'> {
  return { kind: 'get-or-allocate', key: key(service, given), details };
}

export function allocate(
  service: string,
  given: Partial<Omit<Allocate, 'details'>> & { details?: AllocationDetails } = {},
): CommandOf<'allocate'> {
  return { kind: 'allocate', key: key(service), details: {}, port: null, idempotency: null, ...given };
}

export function allocateBoth(service: string, given: Partial<AllocateBoth> = {}): CommandOf<'allocate-both'> {
  const { protocol: _, ...both } = key(service);
  return { kind: 'allocate-both', key: both, details: {}, port: null, prefer: null, idempotency: null, ...given };
}

export function allocateEnvironment(
  services: string[],
  { path, expiry, ...given }: Partial<AllocationKey> & { path?: string; expiry?: Expiry | null } = {},
): CommandOf<'allocate-environment'> {
  const wanted = services.map((name) => ({ key: key(name, given), details: {} }));
  return { kind: 'allocate-environment', services: wanted, path, expiry };
}

export const release = (id: string): CommandOf<'release'> => ({ kind: 'release', id });

export function reserve(given: Partial<Reserve> = {}): CommandOf<'reserve'> {
  const nobody = { service: null, reservedBy: null, reason: null, idempotency: null };
  return { kind: 'reserve', ...TCP, port: null, ttlSeconds: 60, ...nobody, ...given };
}

export function claim(reservationId: string, given: Partial<ClaimReservation> = {}): CommandOf<'claim-reservation'> {
  const environment = 'default';
  return {
    kind: 'claim-reservation',
    reservationId,
    service: null,
    environment,
    space: {},
    details: {},
    idempotency: null,
    ...given,
  };
}

export function adopt(port: number, given: Partial<Adopt> = {}): CommandOf<'adopt'> {
  return { kind: 'adopt', port, ...TCP, environment: null, service: null, processName: null, ...given };
}

/** Decides commands on a project that holds these rows. */
export function decide(rows: Partial<Rows>, ...commands: ProjectCommand[]) {
  const state = new ProjectState(factsOf(rows));
  const outcomes = decideAll(state, commands);
  const { rounds } = state.writes;
  return {
    state,
    outcomes,
    ports: outcomes.map(portsOf),
    written: written(state.writes),
    rounds: rounds.map(describeRound),
    lastRound: rounds.at(-1) as Round,
  };
}

/** Decides one command. @throws AppError its refusal */
export function decideOne<C extends ProjectCommand>(rows: Partial<Rows>, command: C): ResultOf<C> {
  const [outcome] = decide(rows, command).outcomes as [Outcome];
  if (!outcome.ok) throw outcome.error;
  return outcome.value as ResultOf<C>;
}

/** Decides one command that has to be refused. */
export function refusalOf(rows: Partial<Rows>, command: ProjectCommand): AppError {
  const [outcome] = decide(rows, command).outcomes as [Outcome];
  if (outcome.ok) throw new Error(`Not refused: ${JSON.stringify(outcome.value)}`);
  return outcome.error;
}

type Ports = number | null | Ports[];

/** The port that an outcome is about, or all of them where it is a list; the code of a refusal. */
function portsOf(outcome: Outcome): Ports | string {
  return outcome.ok ? portsIn(outcome.value) : outcome.error.code;
}

function portsIn(value: unknown): Ports {
  if (Array.isArray(value)) return value.map(portsIn);
  const { port, items, allocation, reservation } = value as Record<string, unknown>;
  if (typeof port === 'number') return port;
  const inner = items ?? allocation ?? reservation;
  return inner ? portsIn(inner) : null;
}

/** What has to be written, in short and without new ids. Kinds of writes of which there are none are left out. */
export function written({ rounds, keptHostnames, answers }: Writes): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const [kind, list] of rounds.flatMap((round) => Object.entries(describeRound(round)))) {
    all[kind] = [...(all[kind] ?? []), ...list];
  }
  if (keptHostnames.size > 0) all.keptHostnames = [...keptHostnames.keys()];
  if (answers.length > 0) all.answers = answers.map((answer) => `${answer.caller} ${answer.key}`);
  return all;
}

function describeRound(round: Round): Record<string, string[]> {
  const describe = (rows: Iterable<{ port: number; service: string | null }>) =>
    [...rows].map(({ port, service }) => `${port} ${service}`);
  const all = {
    releasedIds: [...round.released.keys()],
    inserted: describe(round.inserted),
    updated: describe(round.updated),
    changedReservations: describe(round.changedReservations),
    insertedReservations: describe(round.insertedReservations),
    environments: [...round.environments].map(([environment, record]) =>
      [environment, ...(record === null ? ['removed'] : [record.path, ...Object.values(record.expiry ?? {})])].join(
        ' ',
      ),
    ),
    releasedEnvironments: round.releasedEnvironments.map(({ environment, ports }) => `${environment} ${ports}`),
  };
  return Object.fromEntries(Object.entries(all).filter(([, list]) => list.length > 0));
}
