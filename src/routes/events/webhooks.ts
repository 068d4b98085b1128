import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { changeWebhook, createWebhook, removeWebhook, repeat } from '../../registry/webhooks.js';
import { listDeliveries } from '../../repositories/events/deliveries.js';
import { findWebhook, listWebhooks } from '../../repositories/events/webhooks.js';
import { IdempotencyHeaders, PageQuery, Ref } from '../../schemas/common.js';
import * as schemas from '../../schemas/events/webhook.js';
import { answer, LINK, LOCATION, refusals } from '../answers/responses.js';
import { NO_CONTENT, type RouteOptions, readIdempotencyKey, sendPage } from '../requests.js';

const WHO =
  'For admins, and for keys with the role `project` where it gets events of their projects alone; not for readers.';

export const webhookRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (
  app,
  { destinations, feed, publicUrl },
) => {
  const requireDestination = (url: string) => destinations.require(url);

  app.post(
    '/v1/webhooks',
    {
      schema: {
        operationId: 'createWebhook',
        summary: 'Make a webhook',
        description:
          'Each event from now on is sent to the URL as one POST: an `Event` as `application/cloudevents+json`, signed as ' +
          '[Standard Webhooks](https://www.standardwebhooks.com) has it. An answer of 2xx within 15 s delivers it. It is sent ' +
          'at least once, and the events of one project in their order: after a failure it is tried again for 3 days, and ' +
          'those behind it wait. 410 switches the webhook off; redirects are not followed. The answer holds the secret, ' +
          'which is shown this once. A webhook that a `project` key made is switched off when that key is revoked or ' +
          `expires. There may be 100, of which one such key may make 20. ${WHO}`,
        tags: ['webhooks'],
        headers: IdempotencyHeaders,
        body: Ref(schemas.NewWebhook),
        response: {
          201: answer(schemas.CreatedWebhook, 'With its secret.', LOCATION),
          ...refusals({ body: true }, 'destination-not-allowed', 'limit-reached', 'idempotency-key-reused'),
        },
      },
    },
    async (request, reply) => {
      const idempotency = readIdempotencyKey(request, request.body);
      await feed.moveNew(); // what has happened by now is in the feed then, and is not sent
      const made = await createWebhook(request.session, request.body, idempotency, requireDestination);
      if (made.replayed) reply.header('idempotent-replayed', 'true');
      return reply.code(201).header('location', `${publicUrl}/v1/webhooks/${made.webhook.id}`).send(made.webhook);
    },
  );

  app.get(
    '/v1/webhooks',
    {
      schema: {
        operationId: 'listWebhooks',
        summary: 'List webhooks',
        description: `Oldest first, without their secrets. ${WHO}`,
        tags: ['webhooks'],
        querystring: PageQuery,
        response: { 200: answer(schemas.WebhookPage, 'A page of them.', LINK), ...refusals({}) },
      },
    },
    async (request, reply) =>
      sendPage(request, reply, publicUrl, await request.session.read(listWebhooks, request.query)),
  );

  app.get(
    '/v1/webhooks/:id',
    {
      schema: {
        operationId: 'getWebhook',
        summary: 'Read a webhook',
        description: `Without its secret. ${WHO}`,
        tags: ['webhooks'],
        params: schemas.WebhookParams,
        response: { 200: answer(schemas.Webhook, 'The webhook.'), ...refusals({}, 'webhook-not-found') },
      },
    },
    (request) => request.session.read(findWebhook, request.params.id),
  );

  app.patch(
    '/v1/webhooks/:id',
    {
      schema: {
        operationId: 'updateWebhook',
        summary: 'Change a webhook',
        description:
          'Also what is pending goes to a new URL. Types and projects count for events from now on; what is pending of ' +
          `projects that it gets no events of any more is given up. ${WHO}`,
        tags: ['webhooks'],
        params: schemas.WebhookParams,
        body: Ref(schemas.WebhookChange),
        response: {
          200: answer(schemas.Webhook, 'As it is now.'),
          ...refusals({ body: true }, 'webhook-not-found', 'destination-not-allowed'),
        },
      },
    },
    async (request) => {
      const { enabled, types, projects } = request.body;
      if (enabled || types || projects) await feed.moveNew(); // the change counts for what happens from now on
      return changeWebhook(request.session, request.params.id, request.body, requireDestination);
    },
  );

  app.delete(
    '/v1/webhooks/:id',
    {
      config: NO_CONTENT,
      schema: {
        operationId: 'deleteWebhook',
        summary: 'Delete a webhook',
        description: `With its deliveries. Nothing more is sent. ${WHO}`,
        tags: ['webhooks'],
        params: schemas.WebhookParams,
        response: { 204: { type: 'null', description: 'It is gone.' }, ...refusals({}, 'webhook-not-found') },
      },
    },
    async (request, reply) => {
      await removeWebhook(request.session, request.params.id);
      return reply.code(204).send();
    },
  );

  app.get(
    '/v1/webhooks/:id/deliveries',
    {
      schema: {
        operationId: 'listWebhookDeliveries',
        summary: 'List deliveries',
        description:
          'Of one webhook, newest event first, as far as the key may see their projects. They are kept for 30 days, or as ' +
          `long as their events. ${WHO}`,
        tags: ['webhooks'],
        params: schemas.WebhookParams,
        querystring: schemas.WebhookDeliveryQuery,
        response: {
          200: answer(schemas.WebhookDeliveryPage, 'A page of them.', LINK),
          ...refusals({}, 'webhook-not-found'),
        },
      },
    },
    async (request, reply) => {
      const page = await request.session.read(listDeliveries, request.params.id, request.query);
      return sendPage(request, reply, publicUrl, page);
    },
  );

  app.post(
    '/v1/webhooks/:id/deliveries/:deliveryId/repeat',
    {
      schema: {
        operationId: 'repeatWebhookDelivery',
        summary: 'Send an event again',
        description:
          'With the same `webhook-id`, before what else is pending of its project, and again for 3 days if that fails. One ' +
          `that waits after a failure is tried at once. ${WHO}`,
        tags: ['webhooks'],
        params: schemas.WebhookDeliveryParams,
        response: {
          200: answer(schemas.WebhookDelivery, 'It is pending.'),
          ...refusals({}, 'webhook-not-found', 'delivery-not-found', 'webhook-disabled'),
        },
      },
    },
    (request) => repeat(request.session, request.params.id, request.params.deliveryId),
  );
};
