import { type Static, Type } from '@sinclair/typebox';
import { AllocationOutline, allocationExample, withoutMetadata } from '../allocation.js';
import { Cursor, Limit, Nullable, Page, ProjectName, Ref, StringEnum, Timestamp } from '../common.js';
import { Reservation } from '../reservation.js';
import { eventTypes } from './event-types.js';

const actorExample = {
  kind: 'key',
  keyId: '5a7b8c9d-0e1f-4a2b-8c3d-4e5f6a7b8c9d',
  name: 'deploy-consilio',
  client: 'curl/8.5.0',
};

export const Actor = Type.Object(
  {
    kind: StringEnum(['key', 'anonymous', 'service', 'sql'], {
      description:
        '`key`: the owner of an API key. `anonymous`: a client of a service on which no keys are in force. `service`: the ' +
        'service by itself. `sql`: somebody in the database.',
    }),
    keyId: Nullable(Type.String(), { description: 'The id of the API key.' }),
    name: Nullable(Type.String(), { description: 'The name of the API key, or the SQL role.' }),
    client: Nullable(Type.String(), {
      description: 'The program, as it calls itself: `User-Agent`, the client info of MCP, or `application_name`.',
    }),
  },
  { $id: 'Actor', description: 'Who made a change.', examples: [actorExample] },
);

const EventObject = (description: string) =>
  Type.Optional(Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true, description }));

export const eventExample = {
  specversion: '1.0',
  id: '1042',
  source: 'urn:port-allocator',
  type: 'service.down',
  subject: `allocations/${allocationExample.id}`,
  time: '2026-01-31T12:05:00.000Z',
  datacontenttype: 'application/json',
  project: 'consilio',
  data: { actor: actorExample, allocation: { ...withoutMetadata(allocationExample), status: 'allocated' } },
};

export const Event = Type.Object(
  {
    specversion: StringEnum(['1.0']),
    id: Type.String({
      description:
        'The place in the feed, a whole number in decimal digits. Send it as `Last-Event-ID` or as `cursor`.',
      examples: ['1042'],
    }),
    source: Type.String({ description: '`PUBLIC_URL` of the service, or `urn:port-allocator` where none is set.' }),
    type: StringEnum(eventTypes),
    subject: Type.String({ description: 'The path of the object under `/v1/`.' }),
    time: Timestamp,
    datacontenttype: StringEnum(['application/json']),
    project: Nullable(ProjectName, { description: '`null` where it is about no project in particular.' }),
    data: Type.Object(
      {
        actor: Ref(Actor),
        allocation: Type.Optional(Ref(AllocationOutline)),
        reservation: Type.Optional(Ref(Reservation)),
        range: EventObject('The range, without counts.'),
        environment: EventObject('The environment.'),
        audit: EventObject('The figures of the audit, without its conflicts.'),
        apiKey: EventObject('The API key, without its secret.'),
        excludedPort: EventObject('The excluded port.'),
        webhook: EventObject('The webhook, without its secret.'),
        changed: Type.Optional(
          Type.Array(Type.String(), { description: 'The names of the fields that a change has changed.' }),
        ),
        previous: EventObject('What these fields had before, without metadata.'),
      },
      { description: 'Who did it, and the object as it was then.' },
    ),
  },
  {
    $id: 'Event',
    description: 'What has happened to one object, in the form of CloudEvents 1.0.',
    examples: [eventExample],
  },
);
export type Event = Static<typeof Event>;

export const EventPage = Page(
  Event,
  {
    $id: 'EventPage',
    description: 'A page of the change feed, the oldest first.',
    examples: [{ items: [eventExample], nextCursor: null, lastEventId: eventExample.id }],
  },
  {
    lastEventId: Type.String({
      description:
        'The place up to which this page has read the feed. To poll, go on with it as `cursor`, also where no event was ' +
        'for you.',
      examples: [eventExample.id],
    }),
  },
);

export const EventQuery = Type.Object(
  {
    project: Type.Optional(ProjectName),
    type: Type.Optional(
      Type.String({
        maxLength: 1024,
        description: 'The types of the events that are wanted, separated by commas.',
        examples: ['service.down,service.up'],
      }),
    ),
    since: Type.Optional(
      Type.String({ ...Timestamp, description: 'Only what has happened at this time or later (RFC 3339).' }),
    ),
    limit: Type.Optional(Limit),
    cursor: Type.Optional({
      ...Cursor,
      description: 'Only what is behind this place in the feed: the `id` of an event.',
    }),
  },
  { additionalProperties: false },
);
/** No pattern: what is no id is refused with a message of its own. */
export const EventHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      maxLength: 1024,
      description: 'Only of a stream: the `id` of the last event that the client has. It counts more than `cursor`.',
      examples: ['1042'],
    }),
  ),
});
export type EventQuery = Static<typeof EventQuery>;
