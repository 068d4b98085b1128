import { type Static, Type } from '@sinclair/typebox';
import { Cursor, Limit, Nullable, OneLine, Page, ProjectName, StringEnum, Timestamp, Uuid } from '../common.js';
import { eventTypes } from './event-types.js';

const MAX_PROJECTS = 100;
export const MAX_URL_LENGTH = 2048;

const Url = Type.String({
  minLength: 1,
  maxLength: MAX_URL_LENGTH,
  pattern: '^[Hh][Tt][Tt][Pp][Ss]?://[^\\s\\u0000-\\u001f\\u007f-\\u009f]+$',
  description:
    'Where events are sent, `https:` or `http:`. Its host is one that this service may probe: `localhost`, one of ' +
    '`PROBE_TARGETS`, or one of `PROBE_ALLOWED_HOSTS`. No user name, no password, no fragment.',
  examples: ['http://localhost:3105/events'],
});
const Types = Type.Array(StringEnum(eventTypes), {
  maxItems: eventTypes.length,
  uniqueItems: true,
  description: 'Only events of these types; empty for all.',
});
const Projects = Type.Array(ProjectName, {
  maxItems: MAX_PROJECTS,
  uniqueItems: true,
  description:
    'Only events of these projects, whether or not they have a range yet. Empty for those of all projects and of none; a key ' +
    'with the role `project` has to name some of its own.',
});
const Description = Nullable(OneLine(500, 'What it is for.'), { description: 'What it is for.' });

const webhookExample = {
  id: '7d3e9f10-2b4c-4d5e-8f60-718293a4b5c6',
  url: 'http://localhost:3105/events',
  types: ['service.down'],
  projects: ['consilio'],
  description: 'Restarts what went down',
  enabled: true,
  disabledAt: null,
  disabledReason: null,
  createdBy: 'ADMIN_API_KEY',
  createdAt: '2026-01-31T12:00:00.000Z',
};

export const Webhook = Type.Object(
  {
    id: Uuid,
    url: Url,
    types: Types,
    projects: Projects,
    description: Description,
    enabled: Type.Boolean({ description: 'Whether events are sent.' }),
    disabledAt: Nullable(Timestamp, { description: 'Since when it has been switched off.' }),
    disabledReason: Nullable(Type.String(), { description: 'Why it was switched off.' }),
    createdBy: Type.String({ description: 'The id of the key that made it, `ADMIN_API_KEY`, or `anonymous`.' }),
    createdAt: Timestamp,
  },
  { $id: 'Webhook', description: 'A URL that gets events, without its secret.', examples: [webhookExample] },
);
export type Webhook = Static<typeof Webhook>;

export const WebhookPage = Page(Webhook, {
  $id: 'WebhookPage',
  description: 'A page of webhooks, oldest first.',
  examples: [{ items: [webhookExample], nextCursor: null }],
});

export const CreatedWebhook = Type.Object(
  {
    ...Webhook.properties,
    secret: Nullable(Type.String(), {
      description:
        'With which deliveries are signed, as Standard Webhooks has it. Shown this once: `null` where an ' +
        '`Idempotency-Key` repeats an answer.',
    }),
  },
  {
    $id: 'CreatedWebhook',
    description: 'A webhook with its secret.',
    examples: [{ ...webhookExample, secret: 'whsec_Zm9yIHRoZSBjb250cmFjdCBvbmx5LCBubyBzZWNyZXQ=' }],
  },
);
export type CreatedWebhook = Static<typeof CreatedWebhook>;

export const NewWebhook = Type.Object(
  {
    url: Url,
    types: Type.Optional(Types),
    projects: Type.Optional(Projects),
    description: Type.Optional(Description),
    enabled: Type.Optional(Type.Boolean({ default: true, description: 'Whether events are sent from now on.' })),
  },
  {
    $id: 'NewWebhook',
    additionalProperties: false,
    description: 'A webhook to make.',
    examples: [{ url: 'http://localhost:3105/events', types: ['service.down'], projects: ['consilio'] }],
  },
);
export type NewWebhook = Static<typeof NewWebhook>;

export const WebhookChange = Type.Object(
  {
    url: Type.Optional(Url),
    types: Type.Optional(Types),
    projects: Type.Optional(Projects),
    description: Type.Optional(Description),
    enabled: Type.Optional(
      Type.Boolean({
        description:
          'Whether events are sent. `false` ends the deliveries that are pending. `true` goes on with events from now ' +
          'on, and tries at once what waits after a failure.',
      }),
    ),
  },
  {
    $id: 'WebhookChange',
    additionalProperties: false,
    description: 'What to change of a webhook. What is left out stays.',
    examples: [{ enabled: true }],
  },
);
export type WebhookChange = Static<typeof WebhookChange>;

const DeliveryStatus = StringEnum(['pending', 'delivered', 'failed'], {
  description: '`pending`: to be sent, for the first time or again. `failed`: given up.',
});

const deliveryExample = {
  id: '9c1d2e3f-4a5b-4c6d-8e7f-8091a2b3c4d5',
  webhookId: webhookExample.id,
  eventId: '1042',
  type: 'service.down',
  project: 'consilio',
  status: 'pending',
  attempts: 1,
  responseStatus: 503,
  error: 'The receiver answered 503.',
  createdAt: '2026-01-31T12:05:00.100Z',
  nextAttemptAt: '2026-01-31T12:05:05.200Z',
  endedAt: null,
};

export const WebhookDelivery = Type.Object(
  {
    id: Type.String({ ...Uuid, description: 'What the receiver gets as `webhook-id`, in every attempt.' }),
    webhookId: Uuid,
    eventId: Type.String({ description: 'The `id` of the event.', examples: ['1042'] }),
    type: StringEnum(eventTypes, { description: 'Of the event.' }),
    project: Nullable(ProjectName, { description: 'Of the event.' }),
    status: DeliveryStatus,
    attempts: Type.Integer({ minimum: 0, description: 'How often it was sent.' }),
    responseStatus: Nullable(Type.Integer(), {
      description: 'What the receiver answered the last time; `null` where it did not.',
    }),
    error: Nullable(Type.String(), { description: 'Why the last attempt failed, or why it was given up.' }),
    createdAt: Timestamp,
    nextAttemptAt: Nullable(Timestamp, {
      description: 'Before when it is not sent again; `null` where it is sent as soon as those before it are.',
    }),
    endedAt: Nullable(Timestamp, { description: 'When it was delivered or given up.' }),
  },
  { $id: 'WebhookDelivery', description: 'One event that one webhook gets.', examples: [deliveryExample] },
);
export type WebhookDelivery = Static<typeof WebhookDelivery>;

export const WebhookDeliveryPage = Page(WebhookDelivery, {
  $id: 'WebhookDeliveryPage',
  description: 'A page of deliveries, newest first.',
  examples: [{ items: [deliveryExample], nextCursor: null }],
});

export const WebhookParams = Type.Object({ id: Type.String({ ...Uuid, description: 'The id of the webhook.' }) });
export const WebhookDeliveryParams = Type.Object({
  ...WebhookParams.properties,
  deliveryId: Type.String({ ...Uuid, description: 'The id of the delivery.' }),
});
export const WebhookDeliveryQuery = Type.Object(
  {
    status: Type.Optional(DeliveryStatus),
    limit: Type.Optional(Limit),
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type WebhookDeliveryQuery = Static<typeof WebhookDeliveryQuery>;
