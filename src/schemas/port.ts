import { type Static, Type } from '@sinclair/typebox';
import { Allocation, allocationExample } from './allocation.js';
import {
  Cursor,
  EnvironmentName,
  Host,
  Limit,
  Nullable,
  NullableRef,
  OneLine,
  Page,
  PortNumber,
  ProjectName,
  Protocol,
  Ref,
  ServiceName,
  SpaceQuery,
  StringEnum,
  Timestamp,
  Uuid,
} from './common.js';
import { Actor } from './events/event.js';
import { Range } from './range.js';
import { Reservation, reservationExample } from './reservation.js';

export const Listener = Type.Object(
  {
    process: Nullable(Type.String(), {
      description: 'The file name of the program, or the name of the container; `null` if it cannot be seen from here.',
    }),
    pid: Nullable(Type.Integer({ minimum: 1 })),
    path: Nullable(Type.String(), { description: 'The working folder of the process.' }),
    address: Type.String({ description: 'The address that it listens on; `*` for all.' }),
  },
  {
    $id: 'Listener',
    description: 'Who listens on a port of the machine that the service runs on.',
    examples: [{ process: 'node', pid: 812, path: '/home/kim/consilio', address: '127.0.0.1' }],
  },
);
export type Listener = Static<typeof Listener>;

const listeningPortExample = { port: 3100, host: 'localhost', protocol: 'tcp', ...Listener.examples[0] };

export const ListeningPort = Type.Object(
  { port: PortNumber, host: Host, protocol: Protocol, ...Listener.properties },
  {
    $id: 'ListeningPort',
    description:
      'A port of the machine that the service runs on, and who listens on it. Of several on one port it is the one that ' +
      'stands most in the way of another server.',
    examples: [listeningPortExample],
  },
);
export type ListeningPort = Static<typeof ListeningPort>;

export const ListeningPortPage = Page(ListeningPort, {
  $id: 'ListeningPortPage',
  description: 'A page of what listens on the machine of the service, by port, then protocol.',
  examples: [{ items: [listeningPortExample], nextCursor: null }],
});

const Reason = OneLine(1000, 'Why it is excluded.', ['Our VPN client listens there on every laptop']);
const excludedPortExample = { port: 3780, reason: Reason.examples[0], createdAt: '2026-01-31T12:00:00.000Z' };

export const ExcludedPort = Type.Object(
  { port: PortNumber, reason: Reason, createdAt: Timestamp },
  {
    $id: 'ExcludedPort',
    description: 'A port that nobody is given unasked, on any host and protocol. By its number it can be had.',
    examples: [excludedPortExample],
  },
);
export type ExcludedPort = Static<typeof ExcludedPort>;

export const Port = Type.Object(
  {
    port: PortNumber,
    host: Host,
    protocol: Protocol,
    state: StringEnum(['free', 'allocated', 'in_use', 'reserved', 'cooling', 'excluded', 'squatted', 'unmanaged'], {
      description:
        '`excluded`: given to nobody unasked. `squatted`: free in the registry, yet something listens. `unmanaged`: no ' +
        'range covers this number.',
    }),
    range: NullableRef(Range),
    allocation: NullableRef(Allocation),
    reservation: NullableRef(Reservation),
    excluded: NullableRef(ExcludedPort),
    listener: NullableRef(Listener),
  },
  {
    $id: 'Port',
    description: 'Who owns a port number on one host and protocol.',
    examples: [
      {
        port: 3150,
        host: 'localhost',
        protocol: 'tcp',
        state: 'reserved',
        range: Range.examples[0],
        allocation: null,
        reservation: reservationExample,
        excluded: null,
        listener: null,
      },
    ],
  },
);
export type Port = Static<typeof Port>;

export const PortParams = Type.Object({
  port: Type.Integer({ minimum: 1, maximum: 65535, description: 'The port number.', examples: [3100] }),
});

export const PortHistoryQuery = Type.Object(
  { ...SpaceQuery.properties, limit: Type.Optional(Limit), cursor: Type.Optional(Cursor) },
  { additionalProperties: false },
);
export type PortHistoryQuery = Static<typeof PortHistoryQuery>;

const historyExample = {
  allocationId: allocationExample.id,
  project: allocationExample.project,
  service: allocationExample.service,
  environment: allocationExample.environment,
  allocatedAt: allocationExample.allocatedAt,
  releasedAt: '2026-02-01T08:00:00.000Z',
  allocatedBy: Actor.examples[0],
  releasedBy: Actor.examples[0],
};

export const PortHistoryItem = Type.Object(
  {
    allocationId: Uuid,
    project: ProjectName,
    service: ServiceName,
    environment: EnvironmentName,
    allocatedAt: Timestamp,
    releasedAt: Nullable(Timestamp, { description: '`null` while it is held.' }),
    allocatedBy: Ref(Actor),
    releasedBy: NullableRef(Actor),
  },
  {
    $id: 'PortHistoryItem',
    description: 'For whom a port was held, from when to when, and who allocated and released it.',
    examples: [historyExample],
  },
);
export type PortHistoryItem = Static<typeof PortHistoryItem>;

export const PortHistoryPage = Page(PortHistoryItem, {
  $id: 'PortHistoryPage',
  description: 'A page of the history of a port, the newest first.',
  examples: [{ items: [historyExample], nextCursor: null }],
});
export type PortHistoryPage = Static<typeof PortHistoryPage>;

export const ExcludedPortPage = Page(ExcludedPort, {
  $id: 'ExcludedPortPage',
  description: 'A page of excluded ports, by port.',
  examples: [{ items: [excludedPortExample], nextCursor: null }],
});

export const PortExclusion = Type.Object(
  { reason: Reason },
  {
    $id: 'PortExclusion',
    additionalProperties: false,
    description: 'Why a port is excluded.',
    examples: [{ reason: excludedPortExample.reason }],
  },
);
