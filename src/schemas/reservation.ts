import { type Static, Type } from '@sinclair/typebox';
import { descriptive } from './allocation.js';
import {
  Cursor,
  EnvironmentName,
  Host,
  HostFilter,
  Limit,
  Nullable,
  OneLine,
  Page,
  PortNumber,
  ProjectName,
  Protocol,
  ServiceName,
  StringEnum,
  Timestamp,
  Uuid,
} from './common.js';

const STATUSES = ['active', 'claimed', 'cancelled', 'expired'] as const;
const ReservedBy = OneLine(200, 'Who holds it.', ['ci-42']);
const Reason = OneLine(1000, 'What for.', ['Port announced to the firewall team']);
const TtlSeconds = Type.Integer({
  minimum: 1,
  maximum: 2_592_000,
  description: 'How long it holds from now on, in seconds; at most 30 days.',
  examples: [900],
});

export const reservationExample = {
  id: '7a0e8a0e-54a1-4c53-9b5d-3d5f0c5f8a10',
  port: 3150,
  project: 'consilio',
  service: 'search',
  host: 'localhost',
  protocol: 'tcp',
  reservedBy: 'ci-42',
  reason: 'Rolling out search',
  createdAt: '2026-01-31T12:00:00.000Z',
  expiresAt: '2026-01-31T13:00:00.000Z',
  status: 'active',
  allocationId: null,
};

export const Reservation = Type.Object(
  {
    id: Uuid,
    port: PortNumber,
    project: ProjectName,
    service: Nullable(ServiceName),
    host: Host,
    protocol: Protocol,
    reservedBy: Nullable(ReservedBy),
    reason: Nullable(Reason),
    createdAt: Timestamp,
    expiresAt: Timestamp,
    status: StringEnum(STATUSES, { description: '`expired` as soon as `expiresAt` has passed.' }),
    allocationId: Nullable(Uuid, { description: 'What it was claimed as.' }),
  },
  {
    $id: 'Reservation',
    description: 'A hold on a port with an expiry, that can be claimed as an allocation.',
    examples: [reservationExample],
  },
);
export type Reservation = Static<typeof Reservation>;
export const ReservationPage = Page(Reservation, {
  $id: 'ReservationPage',
  description: 'A page of reservations.',
  examples: [{ items: [reservationExample], nextCursor: null }],
});

export const NewReservation = Type.Object(
  {
    ttlSeconds: TtlSeconds,
    port: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 65535,
        description: "One particular port of the project's ranges; left out, the lowest free one.",
      }),
    ),
    service: Type.Optional(ServiceName),
    host: Type.Optional(Host),
    protocol: Type.Optional(Protocol),
    reservedBy: Type.Optional(Nullable(ReservedBy)),
    reason: Type.Optional(Nullable(Reason)),
  },
  {
    $id: 'NewReservation',
    additionalProperties: false,
    description: 'A hold on a port.',
    examples: [{ ttlSeconds: 900, service: 'api', reservedBy: 'ci-42' }],
  },
);
export type NewReservation = Static<typeof NewReservation>;

export const ReservationRenewal = Type.Object(
  { ttlSeconds: TtlSeconds },
  {
    $id: 'ReservationRenewal',
    additionalProperties: false,
    description: 'Counted from now, so that it can shorten too.',
    examples: [{ ttlSeconds: 900 }],
  },
);
export type ReservationRenewal = Static<typeof ReservationRenewal>;

export const ReservationClaim = Type.Object(
  {
    service: Type.Optional(
      Type.String({ ...ServiceName, description: "Left out: the reservation's, which must then have one." }),
    ),
    environment: Type.Optional(EnvironmentName),
    host: Type.Optional(Type.String({ ...HostFilter, description: "The reservation's, if given." })),
    protocol: Type.Optional(StringEnum(['tcp', 'udp'], { description: "The reservation's, if given." })),
    ...descriptive,
  },
  {
    $id: 'ReservationClaim',
    additionalProperties: false,
    description: 'What the port is held for from now on.',
    examples: [{ service: 'api', environment: 'staging' }],
  },
);
export type ReservationClaim = Static<typeof ReservationClaim>;

export const ReservationQuery = Type.Object(
  {
    project: Type.Optional(ProjectName),
    host: Type.Optional(Type.String({ ...HostFilter, description: 'Those on one host, in any of its spellings.' })),
    protocol: Type.Optional(StringEnum(['tcp', 'udp'], { description: 'Those of one protocol.' })),
    port: Type.Optional(PortNumber),
    status: Type.Optional(StringEnum([...STATUSES, 'any'], { description: 'Left out: the active ones.' })),
    limit: Type.Optional(Limit),
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type ReservationQuery = Static<typeof ReservationQuery>;

export const ReservationParams = Type.Object({
  id: Type.String({ ...Uuid, description: 'The id of the reservation.' }),
});
