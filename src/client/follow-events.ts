import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Event } from '../schemas/events/event.js';
import { toFailure } from './answers.js';
import type { Call, Connection } from './connection.js';
import { ClientFailure, type Problem } from './failure.js';

/** The service sends something every 15 s, so that after this the connection is dead although nobody has closed it. */
const SILENCE_MS = 45_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** A stream that lasted less may be ended by whatever ended it before. The pauses then go on growing. */
const STEADY_MS = 5000;
/** Before all events, so that a stream begins with the oldest one that is kept. */
const BEGINNING = '1970-01-01T00:00:00Z';

export interface FollowOptions {
  query: NonNullable<Call['query']>;
  /** Ends the generator. */
  signal: AbortSignal;
  /** Called when the stream is open. @param isAgain whether it was lost before */
  onOpen(isAgain: boolean): void;
  /** Called once when the stream is lost. It is opened again, for ever. */
  onLost(reason: string): void;
  /** Called where events are missing, with why. */
  onGap(reason: string): void;
}

/**
 * The events of the feed from now on, each once, in their order. When the connection is lost, the stream is opened again
 * behind the last event.
 * @throws ClientFailure if the service refuses, or cannot be reached for the first time
 */
export async function* followEvents(connection: Connection, options: FollowOptions): AsyncGenerator<Event> {
  const { signal, onOpen, onLost, onGap } = options;
  /** Where the next stream begins. */
  let from: { id?: string; since?: string } = {};
  let state: 'new' | 'open' | 'lost' = 'new';
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; ) {
    let openedAt = Number.POSITIVE_INFINITY;
    let reason = 'the service has ended it';
    try {
      const answer = await openStream(connection, options, from);
      onOpen(state === 'lost');
      state = 'open';
      openedAt = performance.now();
      for await (const { id, event } of readStream(answer)) {
        if (id !== '') from = { id };
        if (event !== null) yield event;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (state === 'new') throw error;
      const code = codeOf(error);
      if (from.id !== undefined && (code === 'events-expired' || code === 'validation-failed')) {
        onGap((error as Error).message);
        // Else the registry is another one, for example one that was restored from a backup.
        from = code === 'events-expired' ? { since: BEGINNING } : {};
        continue;
      }
      if (!isPassing(error)) throw error;
      // Of a process that was killed, Node says no more than "aborted".
      if (code !== 'ECONNRESET') reason = (error as Error).message.replace(/\.$/, '');
    }
    if (state === 'open') onLost(reason);
    state = 'lost';
    if (performance.now() - openedAt > STEADY_MS) pauseMs = FIRST_PAUSE_MS;
    // Many clients lose their connection at the same moment, and must not come back at the same moment.
    await sleep(pauseMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }
}

function openStream(
  connection: Connection,
  { query, signal }: FollowOptions,
  { id, since }: { id?: string; since?: string },
): Promise<IncomingMessage> {
  return connection.open({
    method: 'GET',
    path: '/v1/events',
    query: { ...query, since },
    headers: { accept: 'text/event-stream', ...(id !== undefined && { 'last-event-id': id }) },
    signal,
  });
}

/** That of a problem of the service, or of an error of the connection. */
const codeOf = (error: unknown) =>
  error instanceof ClientFailure ? error.problem?.code : (error as NodeJS.ErrnoException).code;

/** Whether trying again makes sense: for a service that is away or overloaded, and not for a key that is revoked. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ClientFailure)) return codeOf(error) !== undefined;
  if (error.kind === 'unreachable') return true;
  const status = error.problem?.status ?? 0;
  return status >= 500 || status === 429;
}

/**
 * Reads a stream of events until it ends. The service also tells the place in the feed without an event, at the beginning
 * and when nothing was sent for a while. The parser passes over that, because it has no data.
 * @throws ClientFailure refused, with the problem that the stream ends with
 */
async function* readStream(answer: IncomingMessage): AsyncGenerator<{ id: string; event: Event | null }> {
  const messages: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => messages.push(message) });
  let id = '';
  for await (const line of readLines(answer)) {
    if (line.startsWith('id:')) id = line.slice('id:'.length).trim();
    parser.feed(`${line}\n`);
    if (line !== '') continue;
    const message = messages.pop();
    if (message?.event === 'problem') throw toFailure(JSON.parse(message.data) as Problem);
    yield { id, event: message === undefined ? null : (JSON.parse(message.data) as Event) };
  }
}

async function* readLines(answer: IncomingMessage): AsyncGenerator<string> {
  const fail = () => answer.destroy(Object.assign(new Error('nothing came for 45 s'), { code: 'ETIMEDOUT' }));
  let begun = '';
  // Runs only while something is waited for: whoever reads may take its time.
  let silence = setTimeout(fail, SILENCE_MS);
  try {
    for await (const chunk of answer.setEncoding('utf8')) {
      clearTimeout(silence);
      const lines = (begun + chunk).split('\n');
      begun = lines.pop() ?? '';
      yield* lines;
      silence = setTimeout(fail, SILENCE_MS);
    }
  } finally {
    clearTimeout(silence);
  }
}
