import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { mediaTypes } from '../../media-types.js';
import { listEvents } from '../../repositories/events/event-list.js';
import { EventHeaders, EventPage, EventQuery } from '../../schemas/events/event.js';
import { eventTypes } from '../../schemas/events/event-types.js';
import { type NamedPosition, parsePosition, parseTypes, requireKept } from '../../services/events/reading.js';
import { EventStreams } from '../../services/events/streams.js';
import { answerOrEvents, LINK, refusals } from '../answers/responses.js';
import { type RouteOptions, sendPage } from '../requests.js';
import { streamEvents } from './event-streaming.js';

export const eventRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, service) => {
  const { feed, observer, publicUrl } = service;
  const streams = new EventStreams(observer);
  app.addHook('preClose', async () => streams.stop());

  app.get(
    '/v1/events',
    {
      // REQUEST_TIMEOUT_MS is the time in which a stream has to begin.
      config: { produces: [mediaTypes.json, mediaTypes.events] },
      schema: {
        operationId: 'listEvents',
        summary: 'Read the change feed',
        description:
          'What has happened, the oldest first: each change by whomever, in one order in which nothing appears later. The ' +
          '`id` of an event is its place in that order; `cursor` goes on behind it, also behind the last event that there ' +
          'is yet. Without a cursor the list begins with the oldest event that is kept (`EVENT_RETENTION_DAYS`), or with ' +
          '`since`. A key sees the events of its projects; of keys and webhooks only administrators are told. With ' +
          '`Accept: text/event-stream` the answer goes on as events come: each has its `id`, its type as the name of the ' +
          'event, and an `Event` as its data. Who reconnects with `Last-Event-ID` (or `cursor`) misses none and gets none ' +
          'twice; without either, the stream begins with what comes from now on, or with `since`. A stream that breaks off ' +
          `ends with an event \`problem\` (\`Problem\`). Types: ${eventTypes.map((type) => `\`${type}\``).join(', ')}.`,
        tags: ['events'],
        querystring: EventQuery,
        headers: EventHeaders,
        response: {
          200: answerOrEvents(EventPage, 'A page of them.', EVENT_EXAMPLE, LINK),
          ...refusals({}, 'events-expired'),
        },
      },
    },
    async (request, reply) => {
      const { cursor, type, project, since, limit } = request.query;
      const named = request.headers['last-event-id'] || undefined;
      const filter = { project, types: parseTypes(type), since };
      const isStream = request.answerType === mediaTypes.events;
      const from = positionOf(isStream ? named : undefined, cursor);
      if (isStream && request.method === 'HEAD') return reply.type(mediaTypes.events).send('');
      if (isStream) return streamEvents(request, reply, service, streams, { filter, from });
      const last = await feed.moveNew(); // a caller reads what it has just written
      const asked = { ...filter, after: from?.position, limit };
      const { events, hasNext } = await request.session.readLarge(listEvents, asked, feed.source);
      if (from) await requireKept(feed, from);
      const lastListed = events.at(-1)?.position ?? 0;
      const lastEventId = String(hasNext ? lastListed : Math.max(lastListed, last));
      const page = { items: events.map(({ event }) => event), nextCursor: hasNext ? lastEventId : null };
      return { ...sendPage(request, reply, publicUrl, page), lastEventId };
    },
  );
};

const EVENT_EXAMPLE = 'id: 1042\nevent: service.down\ndata: {"specversion":"1.0","id":"1042",…}\n\n';

/** Whoever reconnects sends the same URL again, and the newer place in the header. */
function positionOf(lastEventId: string | undefined, cursor: string | undefined): NamedPosition | null {
  if (lastEventId !== undefined) return parsePosition(lastEventId, '/headers/last-event-id');
  return cursor === undefined ? null : parsePosition(cursor, '/query/cursor');
}
