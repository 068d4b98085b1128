import type { FastifyReply, FastifyRequest } from 'fastify';
import { toHttpRefusal, toProblem } from '../plugins/problems.js';
import { callerLeft } from '../refusals.js';

/** Proxies close a connection that is silent for long, nginx after 60 s. */
const HEARTBEAT_MS = 15_000;

export type SendEvent = (event: string, data: object) => void;

/**
 * Answers with server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): those
 * that `work` sends, then what it returns as `result`. The stream opens with the first event: a refusal
 * before that is an ordinary problem document, and after it the event `problem`.
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
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no', // nginx would hold the events back
        connection: 'close', // or a replica that shuts down would wait until the idle connection times out
      });
      heartbeat = setInterval(() => write(': still here\n\n'), HEARTBEAT_MS);
    }
    write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  try {
    send('result', await work(send, leaving(reply)));
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
 * Aborts when the client leaves before it has its answer. Fastify's `request.signal` is no help here: it
 * goes off as soon as the body has been read.
 */
export function leaving({ raw }: FastifyReply): AbortSignal {
  const left = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) left.abort(callerLeft());
  });
  return left.signal;
}
