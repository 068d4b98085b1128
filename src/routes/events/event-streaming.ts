import { isDeepStrictEqual } from 'node:util';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { keyWrong } from '../../access/refusals.js';
import { AppError } from '../../errors.js';
import { bearerOf } from '../../plugins/authentication.js';
import type { EventFilter } from '../../repositories/events/event-list.js';
import { findPositionBefore } from '../../repositories/events/event-list.js';
import type { FeedEvent } from '../../repositories/events/events.js';
import type { Service } from '../../service.js';
import { type NamedPosition, readFeed, requireKept } from '../../services/events/reading.js';
import type { EventStreams } from '../../services/events/streams.js';
import type { Keyring } from '../../services/keyring.js';
import { whenClosed } from '../../when-closed.js';
import { EventStream } from '../answers/event-stream.js';

/** How long a client waits before it connects again. */
const RETRY_MS = 2000;
/** How often a running stream checks that its key is still valid. */
const CHECK_KEY_MS = 2000;

/** What a client asked for. */
export interface AskedStream {
  filter: EventFilter;
  /** Null without `Last-Event-ID` and `cursor`. */
  from: NamedPosition | null;
}

/**
 * Answers with events as they come, until the client leaves, its key is revoked, or the process stops. Nothing piles up for
 * a client that reads slowly: its next events are read when it has taken the last ones.
 */
export async function streamEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  { feed, keyring, registry }: Pick<Service, 'feed' | 'keyring' | 'registry'>,
  streams: EventStreams,
  { filter, from }: AskedStream,
): Promise<void> {
  const ending = new AbortController();
  const close = streams.open({ caller: request.caller, end: () => ending.abort() });
  whenClosed(reply.raw, () => {
    close();
    ending.abort();
  });
  const session = registry.as(request.caller, 'read', { isAbandoned: () => ending.signal.aborted });
  let position: number;
  try {
    position = await findStart();
  } catch (error) {
    close();
    throw error;
  }
  if (reply.raw.destroyed) return;
  // The comment tells the place too, so that a client to whom nothing was sent for long does not resume from too far back.
  const stream = new EventStream(reply, () => `: still here\nid: ${position}\n\n`);
  const key = new RunningKey(keyring, request, () => ending.abort());
  try {
    stream.write(`retry: ${RETRY_MS}\nid: ${position}\n\n`);
    for await (const reading of readFeed(feed, session, filter, position, ending.signal)) {
      for (const one of reading.events) {
        await stream.taken(ending.signal);
        await key.requireValid();
        if (ending.signal.aborted) break;
        stream.write(frameOf(one));
        position = one.position;
      }
      if (ending.signal.aborted) break;
      if (reading.isRevoked) throw keyWrong();
      position = reading.position;
    }
    if (key.refusal) throw key.refusal;
    stream.cut();
  } catch (error) {
    stream.refuse(error, request);
  } finally {
    key.stop();
  }

  /** Where the stream begins. */
  async function findStart(): Promise<number> {
    const last = await feed.moveNew();
    if (from) {
      await requireKept(feed, from);
      return from.position;
    }
    return filter.since === undefined ? last : session.readUnfiltered(findPositionBefore, filter.since, last);
  }
}

/**
 * The key of a running stream. A key that is revoked or expires ends the stream within seconds. So does one that somebody
 * has given another role or other projects in the database: its reader comes back, and sees what the key sees now.
 */
class RunningKey {
  refusal: AppError | null = null;
  #checkedAt = performance.now();
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly keyring: Keyring,
    private readonly request: FastifyRequest,
    private readonly end: () => void,
  ) {
    // While the database is away, nobody can tell whether the key is valid, and there are no new events either.
    this.#timer = setInterval(() => void this.#check().catch(() => {}), CHECK_KEY_MS);
  }

  /** @throws AppError unauthorized; database-unavailable if it cannot be found out */
  async requireValid(): Promise<void> {
    if (performance.now() - this.#checkedAt > 2 * CHECK_KEY_MS) await this.#check();
    if (this.refusal) throw this.refusal;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #check(): Promise<void> {
    const startedAt = performance.now();
    try {
      const caller = await this.keyring.identify(bearerOf(this.request));
      this.#checkedAt = startedAt;
      if (!isDeepStrictEqual(caller, this.request.caller)) this.end();
    } catch (error) {
      if (error instanceof AppError && error.code === 'unauthorized') {
        this.refusal = error;
        this.end();
      }
      throw error;
    }
  }
}

/** By event: many streams send the same ones. */
const frames = new WeakMap<FeedEvent, string>();

function frameOf(one: FeedEvent): string {
  const known = frames.get(one);
  if (known !== undefined) return known;
  const { id, type } = one.event;
  const frame = `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(one.event)}\n\n`;
  frames.set(one, frame);
  return frame;
}
