import fc from 'fast-check';
import type { Answer } from './app.js';
import type { Observation } from './model-values.js';

export interface Space {
  host: string;
  protocol: 'tcp' | 'udp';
}
export type Key = Space & { project: string; service: string; environment: string };
export interface Details {
  serviceType?: string | null;
  description?: string | null;
  cloudflareHostname?: string | null;
  metadata?: Record<string, unknown> | null;
}

/** The port that is asked for, and the one that is preferred. */
export interface Wish {
  port: number | null;
  prefer: number | null;
}

/** Every operation of the service that the model knows. */
export type Command =
  | ({ op: 'get-or-allocate'; details: Details } & Key)
  | ({ op: 'allocate'; details: Details; idempotencyKey: string | null } & Wish & Key)
  | ({ op: 'allocate-both'; details: Details } & Wish & Omit<Key, 'protocol'>)
  | ({ op: 'look-up' } & Key)
  | ({ op: 'release-key' } & Key)
  | { op: 'read'; id: string }
  | { op: 'release'; id: string }
  | { op: 'update'; id: string; details: Details }
  | {
      op: 'create-range';
      project: string;
      kind: 'project' | 'shared';
      startPort: number | null;
      description: string | null;
    }
  | { op: 'delete-range'; startPort: number }
  | { op: 'exclude' | 'include'; port: number }
  | { op: 'list'; status: 'any' | 'released' | undefined; project: string | undefined; service: string | undefined }
  | ({ op: 'list-ranges' } & Space)
  | ({ op: 'summary'; project: string } & Space)
  | ({ op: 'port'; port: number } & Space);

/** A command as it is generated. It names an allocation by its position among all that have been made, newest first. */
export type Plan = Exclude<Command, { id: string }> | PickedPlan;
type PickedPlan = { op: 'read' | 'release'; pick: number } | { op: 'update'; pick: number; details: Details };

/** The id of no allocation. */
const NO_ID = '00000000-0000-4000-8000-000000000000';

/** Turns a plan into a command: replaces the position of the allocation by its id. */
export function resolve(plan: Plan, ids: readonly string[]): Command {
  if (!('pick' in plan)) return plan;
  const { pick, ...rest } = plan;
  return { ...rest, id: ids[pick % (ids.length + 1)] ?? NO_ID } as Command;
}

const space = {
  // Mostly one port space, so that commands affect one another.
  host: fc.oneof({ weight: 5, arbitrary: fc.constant('localhost') }, fc.constant('10.0.0.7')),
  protocol: fc.oneof({ weight: 5, arbitrary: fc.constant('tcp' as const) }, fc.constant('udp' as const)),
};
const project = fc.constantFrom('alpha', 'beta', 'gamma');
const key = {
  project: fc.oneof({ weight: 4, arbitrary: fc.constant('alpha') }, project),
  service: fc.constantFrom('api', 'web', 'db'),
  environment: fc.oneof({ weight: 3, arbitrary: fc.constant('default') }, fc.constant('staging')),
  ...space,
};
const details = fc.record(
  {
    serviceType: fc.constantFrom('http', null),
    description: fc.constantFrom('first', 'second', null),
    cloudflareHostname: fc.constantFrom('a.example.com', 'b.example.com', null),
    metadata: fc.constantFrom({ team: 'core' }, { team: 'core', tags: ['x'] }, null),
  },
  { requiredKeys: [] },
);
/** In the first range, in which the gaps are, at the beginning of the next one, and numbers that are in neither. */
const port = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 3000, max: 3099 }) },
  { weight: 2, arbitrary: fc.integer({ min: 3100, max: 3104 }) },
  fc.constantFrom(3199, 3200, 64999),
);
/** The lowest ones of several port spaces, one in a range that may be created, and any. */
const excluded = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(3000, 3001, 3100, 3101, 4045) }, port);
const wish = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ port: null, prefer: null }) },
  { weight: 2, arbitrary: port.map((port) => ({ port, prefer: null })) },
  { weight: 2, arbitrary: port.map((prefer) => ({ port: null, prefer })) },
);
/** Mostly one of the latest allocations. */
const pick = fc.oneof({ weight: 2, arbitrary: fc.nat(6) }, fc.nat(1000));
const startPort = fc.constantFrom(3000, 3100, 3200, 3300, 4000);

/** Generates plans. @param reads whether to include commands that only read */
export function plans({ reads }: { reads: boolean }): fc.Arbitrary<Plan> {
  const changing = [
    { weight: 6, arbitrary: fc.record({ op: fc.constant('get-or-allocate' as const), ...key, details }) },
    {
      weight: 6,
      arbitrary: fc
        .record({
          op: fc.constant('allocate' as const),
          ...key,
          details,
          wish,
          idempotencyKey: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, fc.constantFrom('one', 'two')),
        })
        .map(({ wish, ...rest }) => ({ ...rest, ...wish })),
    },
    {
      weight: 2,
      arbitrary: fc
        .record({ op: fc.constant('allocate-both' as const), ...key, details, wish })
        .map(({ wish, protocol: _, ...rest }) => ({ ...rest, ...wish })),
    },
    {
      weight: 2,
      arbitrary: fc.record({ op: fc.constantFrom('exclude' as const, 'include' as const), port: excluded }),
    },
    { weight: 6, arbitrary: fc.record({ op: fc.constant('release' as const), pick }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('release-key' as const), ...key }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('update' as const), pick, details }) },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant('create-range' as const),
        project,
        kind: fc.constantFrom('project' as const, 'shared' as const),
        startPort: fc.option(startPort),
        description: fc.constantFrom('a range', null),
      }),
    },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('delete-range' as const), startPort }) },
  ];
  const reading = [
    { weight: 1, arbitrary: fc.record({ op: fc.constant('read' as const), pick }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('look-up' as const), ...key }) },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant('list' as const),
        status: fc.constantFrom('any' as const, 'released' as const, undefined),
        project: fc.option(project, { nil: undefined }),
        service: fc.option(key.service, { nil: undefined }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('list-ranges' as const), ...space }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('summary' as const), project: key.project, ...space }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('port' as const), port, ...space }) },
  ];
  return fc.oneof(...changing, ...(reads ? reading : [])) as fc.Arbitrary<Plan>;
}

type Requester = (
  method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE',
  url: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answer>;

/** Sends the command as a client would. */
export function send(request: Requester, command: Command): Promise<Answer> {
  switch (command.op) {
    case 'get-or-allocate':
      return request('PUT', servicePath(command), command.details);
    case 'look-up':
      return request('GET', servicePath(command));
    case 'release-key':
      return request('DELETE', servicePath(command));
    case 'allocate': {
      const { project, service, environment, host, protocol, details, idempotencyKey } = command;
      const body = { service, environment, host, protocol, ...wishOf(command), ...details };
      const headers: Record<string, string> = idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey };
      return request('POST', `/v1/projects/${project}/allocations`, body, headers);
    }
    case 'allocate-both': {
      const { project, service, environment, host, details } = command;
      const body = { service, environment, host, protocol: 'both', ...wishOf(command), ...details };
      return request('POST', `/v1/projects/${project}/allocations`, body);
    }
    case 'exclude':
      return request('PUT', `/v1/excluded-ports/${command.port}`, { reason: 'A test wants it so.' });
    case 'include':
      return request('DELETE', `/v1/excluded-ports/${command.port}`);
    case 'read':
      return request('GET', `/v1/allocations/${command.id}`);
    case 'release':
      return request('DELETE', `/v1/allocations/${command.id}`);
    case 'update':
      return request('PATCH', `/v1/allocations/${command.id}`, command.details);
    case 'create-range': {
      const { project, kind, startPort, description } = command;
      return request('POST', '/v1/ranges', { project, kind, description, ...(startPort !== null && { startPort }) });
    }
    case 'delete-range':
      return request('DELETE', `/v1/ranges/${command.startPort}`);
    case 'list':
      return request('GET', `/v1/allocations?${query({ ...command, op: undefined, limit: '1000' })}`);
    case 'list-ranges':
      return request('GET', `/v1/ranges?${query({ host: command.host, protocol: command.protocol })}`);
    case 'summary':
      return request(
        'GET',
        `/v1/projects/${command.project}/summary?${query({ host: command.host, protocol: command.protocol })}`,
      );
    case 'port':
      return request('GET', `/v1/ports/${command.port}?${query({ host: command.host, protocol: command.protocol })}`);
  }
}

const servicePath = ({ project, service, environment, host, protocol }: Key) =>
  `/v1/projects/${project}/services/${service}?${query({ environment, host, protocol })}`;

const wishOf = ({ port, prefer }: Wish) => ({ ...(port !== null && { port }), ...(prefer !== null && { prefer }) });

const query = (fields: Record<string, string | undefined>) =>
  new URLSearchParams(Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined));

/**
 * The part of an answer that the model predicts: everything but times, and of a refusal its code and the holder. The
 * warnings of an allocation have a time in them, so that only `isWithheld` and `isExcluded` tell which there are. Who
 * listens on this machine is not predicted.
 */
export function observe({ status, body }: Answer): Observation {
  if (status >= 400) return { status, body: { code: body.code, ...(body.holder && { holder: body.holder }) } };
  return { status, body: body === undefined ? undefined : withoutTimes(body) };
}

const TIMES = new Set(['createdAt', 'allocatedAt', 'updatedAt', 'releasedAt', 'lastUsedAt']);

function withoutTimes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTimes);
  if (typeof value !== 'object' || value === null) return value;
  const { warnings = [], listener, ...others } = value as { warnings?: string[]; listener?: unknown; state?: string };
  const has = (words: string) => warnings.some((warning) => warning.includes(words));
  const told =
    'allocatedAt' in value
      ? { ...others, isWithheld: has('is not routed'), isExcluded: has('is excluded') }
      : 'listener' in value
        ? { ...others, state: others.state === 'squatted' ? 'free' : others.state }
        : value;
  return Object.fromEntries(
    Object.entries(told).flatMap(([name, item]) => (TIMES.has(name) ? [] : [[name, withoutTimes(item)]])),
  );
}
