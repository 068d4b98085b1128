import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { mediaTypes } from '../../media-types.js';
import { toHttpRefusal, toProblem } from '../../plugins/problems.js';
import { whenClosed } from '../../when-closed.js';

/** A comment is sent this often, since proxies close a connection that stays silent: nginx after 60 s. */
const HEARTBEAT_MS = 15_000;

export type SendEvent = (event: string, data: object) => void;

/** One event, as it is sent. */
export const toFrame = (event: string, data: object): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

/** An answer of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export class EventStream {
  readonly #raw: ServerResponse;
  readonly #heartbeat: NodeJS.Timeout;

  /**
   * Opens the stream. From now on, the request cannot be answered in another way.
   * @param heartbeat makes the comment that is sent from time to time
   */
  constructor(reply: FastifyReply, heartbeat = () => ': still here\n\n') {
    this.#raw = reply.raw;
    reply.hijack();
    this.#raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': mediaTypes.events,
      'cache-control': 'no-store',
      'x-accel-buffering': 'no', // without this, nginx would buffer the events
      connection: 'close', // a replica that shuts down would otherwise wait until the idle connection times out
    });
    this.#heartbeat = setInterval(() => {
      if (!this.isFull) this.write(heartbeat());
    }, HEARTBEAT_MS);
    whenClosed(this.#raw, () => clearInterval(this.#heartbeat));
  }

  /** The reader has to take something before more is written, or it would pile up here. */
  get isFull(): boolean {
    return this.#raw.writableNeedDrain;
  }

  get isClosed(): boolean {
    return this.#raw.destroyed;
  }

  write(text: string): void {
    if (!this.isClosed) this.#raw.write(text);
  }

  /**
   * Waits until the reader has taken what was written, or has left, or `signal` is aborted. `registerUnreadAnswers` cuts
   * one who takes nothing.
   */
  async taken(signal: AbortSignal): Promise<void> {
    if (!this.isFull || this.isClosed || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#raw.off('drain', done).off('close', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#raw.once('drain', done).once('close', done);
      signal.addEventListener('abort', done);
    });
  }

  /** Ends with an event `problem`. */
  refuse(error: unknown, request: FastifyRequest): void {
    const refusal = toHttpRefusal(error);
    if (!this.isClosed) {
      const logged = { reqId: request.id, err: refusal.cause ?? refusal, code: refusal.code };
      request.log.warn(logged, 'Event stream broken off');
    }
    this.write(toFrame('problem', toProblem(refusal, request)));
    this.end();
  }

  end(): void {
    clearInterval(this.#heartbeat);
    this.#raw.end();
  }

  /** Ends, also for a reader that does not take what was written: it can resume, and a process that stops waits for none. */
  cut(): void {
    if (this.isFull) this.#raw.destroy();
    else this.end();
  }
}

/**
 * Answers with server-sent events: first those that `work` sends, as far as the client reads them, then an event
 * `result` with what `work` returns. The stream opens with its first event. If `work` fails before that, the answer is
 * an ordinary problem document; if it fails later, the last event is `problem`.
 */
export async function sendEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  work: (send: SendEvent, signal: AbortSignal) => Promise<object>,
): Promise<void> {
  const opened: { stream?: EventStream } = {};
  const send: SendEvent = (event, data) => {
    opened.stream ??= new EventStream(reply);
    opened.stream.write(toFrame(event, data));
  };
  // A client that does not keep up with reading misses events, but not the last one. Nothing piles up for it.
  const sendToReader: SendEvent = (event, data) => {
    if (!reply.raw.writableNeedDrain) send(event, data);
  };
  try {
    send('result', await work(sendToReader, abortOnDisconnect(reply)));
    opened.stream?.end();
  } catch (error) {
    if (!opened.stream) throw error;
    opened.stream.refuse(error, request);
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
