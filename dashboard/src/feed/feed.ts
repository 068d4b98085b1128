import { batch, signal } from '@preact/signals';
import {
  authorization,
  describeFailure,
  NoAnswer,
  orNoAnswer,
  Refusal,
  receiveRefusal,
  serviceUrl,
} from '../registry/api.js';
import { readUntold } from '../registry/readings.js';
import { forgetAll, isRead, readAll } from '../registry/store.js';
import { applyEvents, countUnknownEvents } from './changes.js';
import { makeStreamReader } from './stream.js';

/**
 * Whether what is on the screen follows the registry: as changes are made, every few seconds because the feed cannot be
 * followed, or not at all.
 */
export type Connection =
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'polling'; reason: string }
  | { state: 'lost'; reason: string; needsKey: boolean; since: Date };

export const connection = signal<Connection>({ state: 'connecting' });

/** The service sends something every 15 s, so that after this the connection is dead although nobody has closed it. */
const SILENCE_MS = 45_000;
/** A proxy that keeps answers until they are complete would keep the beginning of a stream for ever. */
const OPENING_MS = 10_000;
/** So long people wait for the stream before they see the registry without it. */
const UNSEEN_MS = 1500;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** A stream that lasted less may be ended by whatever ended it before. */
const STEADY_MS = 5000;
/**
 * A page that nobody sees gives its connection back after this time, because browsers have no more than six to a host
 * over HTTP/1.1, and a seventh tab would get no answer. It resumes behind its last event.
 */
const HIDDEN_MS = 30_000;

/** The reason where everything but the stream is answered. */
const NO_STREAM = 'The change feed cannot be followed, as behind a proxy that keeps streams back.';

type Body = NonNullable<Response['body']>;

/** The place in the feed behind which the next stream begins; null for one that begins anew. */
let last: string | null = null;
let stream = new AbortController();
/**
 * Whether the service has ended the last stream. So it does when the role or the projects of the key were changed,
 * after which the page may see more than what it has read, or less.
 */
let isEndedByService = false;
/** When the stream was opened; infinite while none is open. */
let openedAt = Number.POSITIVE_INFINITY;
/** Ends the pause before the next attempt. */
let wake: () => void = () => {};

/** Follows the change feed for as long as the page is open. */
export async function follow(): Promise<never> {
  closeWhileHidden();
  for (let pauseMs = FIRST_PAUSE_MS; ; ) {
    if (document.hidden) await paused(null);
    stream = new AbortController();
    const { signal } = stream;
    const failure = await followOnce(signal).catch((error: unknown) => error);
    if (signal.aborted) continue;
    stream.abort(); // an answer that is not read to its end keeps its connection
    // A stream that has ended is opened again. Only one that cannot be opened is a reason to do without.
    if (performance.now() - openedAt > STEADY_MS) pauseMs = FIRST_PAUSE_MS;
    else {
      await readWithoutFeed(failure);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
    openedAt = Number.POSITIVE_INFINITY;
    // Many pages lose their connection at the same moment, and must not come back at the same moment. Without a valid
    // key a further attempt would be refused too.
    await paused(needsKey() ? null : pauseMs * (0.5 + Math.random() / 2));
  }
}

/** Reads everything now, and follows from there. */
export function readAgain(): void {
  last = null;
  stream.abort();
  wake();
}

/**
 * Follows one stream to its end. One that begins anew is opened first, and the registry is read then, so that nothing
 * that changes meanwhile is missed.
 */
async function followOnce(signal: AbortSignal): Promise<Error> {
  const body = await showMeanwhile(openStream(signal));
  if (last === null || !isRead.value || isEndedByService) await readAnew();
  else await readUntold();
  isEndedByService = false;
  if (signal.aborted) return new NoAnswer('Aborted');
  connection.value = { state: 'live' };
  openedAt = performance.now();
  await takeEvents(body, signal);
  return new NoAnswer('The connection to the registry has ended.');
}

/** Where a stream takes long to open and nothing is on the screen yet, the registry is shown as it is now. */
async function showMeanwhile<Opened>(opening: Promise<Opened>): Promise<Opened> {
  let reading: Promise<void> | null = null;
  const timer = setTimeout(() => {
    if (!isRead.value) reading = readAll().catch(() => {}); // it is read again when the outcome is known
  }, UNSEEN_MS);
  try {
    return await opening;
  } finally {
    clearTimeout(timer);
    await reading; // what it has read must not replace what is read from now on
  }
}

async function readAnew(): Promise<void> {
  const wasRead = isRead.value;
  await readAll();
  if (wasRead) countUnknownEvents(); // else nothing is shown yet
}

async function openStream(signal: AbortSignal): Promise<Body> {
  const opening = new AbortController();
  const timer = setTimeout(() => opening.abort(new Error('The answer does not begin')), OPENING_MS);
  const call = fetch(`${serviceUrl}/v1/events`, {
    headers: { accept: 'text/event-stream', ...authorization(), ...(last !== null && { 'last-event-id': last }) },
    signal: AbortSignal.any([signal, opening.signal]),
    cache: 'no-store',
  });
  const answer = await orNoAnswer(call).finally(() => clearTimeout(timer));
  if (!answer.ok || !answer.body) throw receiveRefusal(answer.status, await answer.json().catch(() => null));
  return answer.body;
}

/** Takes what comes, as many events at a time as have come together. Returns when the stream has ended. */
async function takeEvents(body: Body, signal: AbortSignal): Promise<void> {
  const takeApart = makeStreamReader();
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let isCancelled = false;
  const cancel = () => {
    isCancelled = true;
    void reader.cancel().catch(() => {});
  };
  signal.addEventListener('abort', cancel);
  for (;;) {
    const silence = setTimeout(cancel, SILENCE_MS);
    const { done, value } = await orNoAnswer(reader.read());
    clearTimeout(silence);
    if (done) {
      isEndedByService = !isCancelled;
      return;
    }
    const piece = takeApart(value);
    if (piece.events.length > 0) applyEvents(piece.events);
    last = piece.last ?? last;
    if (piece.problem !== null) throw receiveRefusal(piece.problem.status, piece.problem);
  }
}

/**
 * After the feed has failed: reads everything all the same, because the service may have as many streams as it takes,
 * or a proxy may not let streams through.
 */
async function readWithoutFeed(failure: unknown): Promise<void> {
  const refusal = failure instanceof Refusal ? failure : null;
  if (refusal?.status === 401) return noteLost(failure);
  // Events are gone that this page has not seen, or the registry is another one, such as a backup that was restored.
  if (refusal?.problem?.code === 'events-expired' || refusal?.problem?.code === 'validation-failed') last = null;
  try {
    await readAnew();
    connection.value = { state: 'polling', reason: failure instanceof NoAnswer ? NO_STREAM : describeFailure(failure) };
  } catch (error) {
    noteLost(error);
  }
}

function noteLost(failure: unknown): void {
  const isKeyWrong = failure instanceof Refusal && failure.status === 401;
  batch(() => {
    if (isKeyWrong) {
      forgetAll();
      countUnknownEvents();
    }
    const since = connection.value.state === 'lost' ? connection.value.since : new Date();
    connection.value = { state: 'lost', reason: describeFailure(failure), needsKey: isKeyWrong, since };
  });
}

const needsKey = () => connection.value.state === 'lost' && connection.value.needsKey;

function paused(ms: number | null): Promise<void> {
  return new Promise((resolve) => {
    wake = resolve;
    if (ms !== null) setTimeout(resolve, ms);
  });
}

function closeWhileHidden(): void {
  let closing: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener('visibilitychange', () => {
    clearTimeout(closing);
    if (document.hidden) closing = setTimeout(() => stream.abort(), HIDDEN_MS);
    else if (connection.value.state !== 'live' || stream.signal.aborted) wake();
  });
}
