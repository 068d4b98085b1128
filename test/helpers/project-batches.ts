// Random projects and random batches of commands, and what becomes of them.
import fc from 'fast-check';
import { decideAll, type Outcome, type ProjectCommand } from '../../src/allocator/decide.js';
import { ProjectState } from '../../src/allocator/project-state.js';
import type { Writes } from '../../src/allocator/writes.js';
import type { AllocationRow, ReservationRow } from '../../src/database/tables.js';
import type { Space } from '../../src/keys.js';
import {
  factsOf,
  held,
  PROJECT,
  type Rows,
  range,
  released,
  reserved,
  rowsAfter,
  secondsFromNow,
  TCP,
  UDP,
} from './project-facts.js';

/** A few ports that are asked for, in two ranges, and one that is outside. */
const PORTS = [3000, 3001, 3002, 3003, 3500, 3501];
const OUTSIDE = 4000;
const SPACED_PORTS = [TCP, UDP].flatMap((space) => PORTS.map((port) => ({ ...space, port })));

const service = fc.constantFrom('api', 'web', 'db');
const environment = fc.oneof({ weight: 3, arbitrary: fc.constant('default') }, fc.constant('staging'));
const space = fc.oneof({ weight: 5, arbitrary: fc.constant(TCP) }, fc.constant(UDP));
const cooldown = fc.constantFrom(0, 60);
const path = fc.constantFrom('/here', '/there');

/** What there is at one port of one port space, at first. */
const place = fc.record({
  is: fc.constantFrom('free', 'held', 'held', 'released', 'reserved', 'reserved while it cools down', 'expired'),
  service,
  environment,
  reservedFor: fc.option(service),
  secondsAgo: fc.constantFrom(0, 30, 60, 90),
});

/** A project's rows that may well be: no port is held twice. */
export const someRows: fc.Arbitrary<Rows> = fc
  .record({
    cooldowns: fc.tuple(cooldown, cooldown),
    paths: fc.record({ default: fc.option(path), staging: fc.option(path) }),
    excluded: fc.subarray(PORTS, { maxLength: 2 }),
    unusable: fc.subarray(SPACED_PORTS, { maxLength: 3 }),
    places: fc.array(place, { minLength: 2 * PORTS.length, maxLength: 2 * PORTS.length }),
  })
  .map(({ cooldowns, excluded, unusable, paths, places }) => {
    const rows: Rows = {
      ranges: [range(3000, 3003, cooldowns[0]), range(3500, 3501, cooldowns[1])],
      allocations: [],
      reservations: [],
      answers: [],
      hostnamesOfOthers: ['other.example.com'],
      excluded,
      unusable,
      environments: [],
    };
    for (const [index, { is, service, environment, reservedFor, secondsAgo }] of places.entries()) {
      const port = PORTS[index % PORTS.length] as number;
      const where: Space = index < PORTS.length ? TCP : UDP;
      const id = `${is} ${where.protocol} ${port}`;
      const owner = { service, environment, ...where };
      const reservation = { id, service: reservedFor, ...where };
      if (is === 'held') rows.allocations.push(held(port, { id, ...owner }));
      if (is === 'released' || is === 'reserved while it cools down') {
        rows.allocations.push(released(port, secondsAgo, { id: `released ${id}`, ...owner }));
      }
      if (is === 'reserved' || is === 'reserved while it cools down')
        rows.reservations.push(reserved(port, reservation));
      if (is === 'expired') {
        rows.reservations.push(reserved(port, { ...reservation, expires_at: secondsFromNow(-secondsAgo) }));
      }
    }
    // A path is there only as long as its environment holds a port.
    for (const [environment, path] of Object.entries(paths)) {
      const isHeld = rows.allocations.some((row) => row.environment === environment && row.released_at === null);
      if (path !== null && isHeld) rows.environments.push({ environment, path });
    }
    return rows;
  });

/** A command whose id, if it has one, is found when its turn comes: `pick` is a place among the ids that there are. */
export interface Step {
  command: ProjectCommand;
  pick: number;
}

const key = fc
  .record({ service, environment, space })
  .map(({ space, ...rest }) => ({ project: PROJECT, ...rest, ...space }));
const details = fc.record(
  {
    description: fc.constantFrom('one', 'two', null),
    cloudflareHostname: fc.constantFrom('own.example.com', 'other.example.com', null),
    metadata: fc.constantFrom({ a: 1 }, null),
  },
  { requiredKeys: [] },
);
const port = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...PORTS) }, fc.constant(OUTSIDE));
const idempotency = fc.oneof(
  { weight: 3, arbitrary: fc.constant(null) },
  fc.record({
    caller: fc.constant('ci'),
    key: fc.constantFrom('one', 'two'),
    requestHash: fc.constantFrom('this', 'this', 'that'),
  }),
);
const services = fc
  .record({
    names: fc.uniqueArray(service, { minLength: 1 }),
    key,
    details,
  })
  .map(({ names, key, details }) => names.map((service) => ({ key: { ...key, service }, details })));

const ordinary: { [Kind in Exclude<ProjectCommand['kind'], 'adopt'>]: fc.Arbitrary<object> } = {
  'get-or-allocate': fc.record({ key, details }),
  allocate: fc.record({ key, details, port: fc.option(port), prefer: fc.option(port), idempotency }),
  'allocate-both': fc
    .record({ key, details, port: fc.option(port), prefer: fc.option(port), idempotency })
    .map(({ key: { protocol: _, ...key }, ...rest }) => ({ key, ...rest })),
  'allocate-environment': fc.record({ services, path: fc.option(path, { nil: undefined }) }),
  release: fc.constant({ id: '' }),
  'release-service': fc.record({ key }),
  'release-environment': fc.record({ environment, space }).map(({ environment, space }) => ({ environment, ...space })),
  update: fc.record({ details }).map((rest) => ({ id: '', ...rest })),
  'update-service': fc.record({ key, details }),
  reserve: fc
    .record({
      space,
      port: fc.option(port),
      service: fc.option(service),
      ttlSeconds: fc.constantFrom(5, 900),
      idempotency,
    })
    .map(({ space, ...rest }) => ({ ...space, ...rest, reservedBy: null, reason: null })),
  'claim-reservation': fc
    .record({ service: fc.option(service), environment, space: fc.constantFrom({}, {}, TCP), details, idempotency })
    .map((rest) => ({ reservationId: '', ...rest })),
  'renew-reservation': fc
    .record({ ttlSeconds: fc.constantFrom(5, 900) })
    .map((rest) => ({ reservationId: '', ...rest })),
  'cancel-reservation': fc.constant({ reservationId: '' }),
};
const adoption = fc
  .record({
    space,
    port,
    service: fc.option(service),
    environment: fc.option(environment),
    processName: fc.option(service),
  })
  .map(({ space, ...rest }) => ({ ...space, ...rest }));

const stepOf = (kind: string, input: fc.Arbitrary<object>): fc.Arbitrary<Step> =>
  fc
    .record({ input, pick: fc.nat(1000) })
    .map(({ input, pick }) => ({ command: { kind, ...input } as ProjectCommand, pick }));

/**
 * A batch of any commands, or of an import. As in the service, the two do not mix: within an import the numbers of
 * names go on from the last one, also where an earlier one would be free again after a release.
 */
export const someSteps: fc.Arbitrary<Step[]> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.array(fc.oneof(...Object.entries(ordinary).map(([kind, input]) => stepOf(kind, input))), {
      minLength: 1,
      maxLength: 12,
    }),
  },
  fc.array(stepOf('adopt', adoption), { minLength: 1, maxLength: 8 }),
);

/** @param allocations of which `pick` means one, or an id that names nothing */
export function resolve(
  { command, pick }: Step,
  allocations: Iterable<AllocationRow>,
  reservations: Iterable<ReservationRow>,
): ProjectCommand {
  const pickFrom = (rows: Iterable<{ id: string }>) => {
    const ids = [...rows].map(({ id }) => id);
    return ids[pick % (ids.length + 1)] ?? 'nothing';
  };
  if ('id' in command) return { ...command, id: pickFrom(allocations) };
  if ('reservationId' in command) return { ...command, reservationId: pickFrom(reservations) };
  return command;
}

/** What became of steps. */
interface Decided {
  /** Of each step. */
  outcomes: Outcome[];
  /** What the database holds afterwards. */
  rows: Rows;
}

interface DecidedTogether extends Decided {
  writes: Writes;
  /** The kinds of refused commands that changed the writes. There should be none. */
  writingRefused: string[];
}

/** Decides the steps one after another on one state, as the commands of one transaction. */
export function decideTogether(rows: Rows, steps: readonly Step[]): DecidedTogether {
  const state = new ProjectState(factsOf(rows));
  const { writes } = state;
  const writingRefused: string[] = [];
  const outcomes = steps.map((step) => {
    const before = toText(writes);
    const command = resolve(
      step,
      [...rows.allocations, ...writes.rounds.flatMap(({ inserted }) => [...inserted])],
      [...rows.reservations, ...writes.rounds.flatMap(({ insertedReservations }) => [...insertedReservations])],
    );
    const [outcome] = decideAll(state, [command]) as [Outcome];
    if (!outcome.ok && toText(writes) !== before) writingRefused.push(command.kind);
    return outcome;
  });
  return { outcomes, writes, writingRefused, rows: rowsAfter(rows, writes) };
}

/** Decides each step in a transaction of its own, on facts that are read anew. */
export function decideApart(first: Rows, steps: readonly Step[]): Decided {
  let rows = first;
  const outcomes = steps.map((step) => {
    const state = new ProjectState(factsOf(rows));
    const [outcome] = decideAll(state, [resolve(step, rows.allocations, rows.reservations)]) as [Outcome];
    rows = rowsAfter(rows, state.writes);
    return outcome;
  });
  return { outcomes, rows };
}

/** In a form that can be compared: new ids, which are random, are numbered in the order in which they appear. */
export function comparable(value: unknown): unknown {
  const numbers = new Map<string, number>();
  const numbered = toText(value).replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => {
    if (!numbers.has(id)) numbers.set(id, numbers.size + 1);
    return `new ${numbers.get(id)}`;
  });
  return JSON.parse(numbered);
}

const toText = (value: unknown): string =>
  JSON.stringify(value, (_, part) => {
    if (part instanceof Set || part instanceof Map) return [...part];
    return part instanceof Error ? { ...part, message: part.message } : part;
  });
