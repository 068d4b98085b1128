import type { FastifyReply, FastifyRequest } from 'fastify';
import { mediaTypes } from '../../media-types.js';
import { toHttpRefusal, toProblem } from '../../plugins/problems.js';
import { whenClosed } from '../../when-closed.js';

/** A comment is sent this often, since proxies close a connection that stays silent: nginx after 60 s. */
const HEARTBEAT_MS = 15_000;

export type SendEvent = (event: string, data: object) => void;

/**
 * Answers with server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): first those that
 * `work` sends, as far as the client reads them, then an event `result` with what `work` returns. The stream opens with
 * its first event. If `work` fails before that, the answer is an ordinary problem document; if it fails later, the last
 * event is `problem`.
 */
export async function sendEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (send: SendEvent, signal: AbortSignal) => Promise<object>,
): Promise<void> {
  const { raw } = reply;
  let heartbeat: NodeJS.Timeout | undefined;
  const write = (text: string) => {
    if (!raw.destroyed) raw.write(text);
  };
  const send: SendEvent = (event, data) => {
    if (!reply.sent) {
      reply.hijack();
      raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        'content-type': mediaTypes.events,
        'cache-control': 'no-store',
        'x-accel-buffering': 'no', // without this, nginx would buffer the events
        connection: 'close', // a replica that shuts down would otherwise wait until the idle connection times out
      });
      heartbeat = setInterval(() => {
        if (!raw.writableNeedDrain) write(': still here\n\n');
      }, HEARTBEAT_MS);
    }
    write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  // A client that does not keep up with reading misses events, but not the last one. Nothing piles up for it.
  const sendToReader: SendEvent = (event, data) => {
    if (!raw.writableNeedDrain) send(event, data);
  };
  try {
    send('result', await work(sendToReader, abortOnDisconnect(reply)));
  } catch (error) {
    if (!reply.sent) throw error;
    const refusal = toHttpRefusal(error);
    if (!raw.destroyed)
      request.log.warn(
        { reqId: request.id, err: refusal.cause ?? refusal, code: refusal.code },
        'Event stream broken off',
      );
    send('problem', toProblem(refusal, request));
  } finally {
    clearInterval(heartbeat);
    if (reply.sent) raw.end();
  }
}

/**
 * Returns a signal that aborts if the client disconnects before its answer is complete. Fastify's own `request.signal`
 * cannot be used for this: it aborts as soon as the request body has been read.
 */
export function abortOnDisconnect({ raw }: FastifyReply): AbortSignal {
  const disconnected = new AbortController();
  whenClosed(raw, () => {
    if (!raw.writableFinished) disconnected.abort();
  });
  return disconnected.signal;
}
