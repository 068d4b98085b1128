// The change feed as its clients read it.
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import type { Test } from 'tap';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config.js';
import type { Database } from '../../src/database/connect.js';
import { Metrics } from '../../src/metrics.js';
import { EVENTS_CHANNEL } from '../../src/repositories/events/events.js';
import type { Event } from '../../src/schemas/events/event.js';
import { createService, type Service, type ServiceOptions } from '../../src/service.js';
import { requester } from './app.js';

/** The whole service on a port, with the feed running as in production. */
export async function serveFeed(
  t: Test,
  database: Database,
  variables: Record<string, string> = {},
  options: Pick<ServiceOptions, 'cloudflareUrl'> = {},
) {
  const metrics = new Metrics(database.poolCounts);
  const config = loadConfig({ AVOID_LISTENING: 'false', ...variables });
  const log = pino({ level: 'silent' });
  const service: Service = createService({ database, config, log, observer: metrics, ...options });
  service.readiness.started();
  const app = await buildApp(service, metrics);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const stopping = new AbortController();
  const feed = service.feed.run(stopping.signal);
  const listening = database.listen(EVENTS_CHANNEL, () => service.feed.changed(), stopping.signal);
  const close = async () => {
    stopping.abort();
    await Promise.all([feed, listening]);
    await app.close();
  };
  t.teardown(close);
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  return { url, app, service, metrics, request: requester(app), close };
}

/** One block of a stream: an event, or the place in the feed alone. */
export interface Block {
  id: string;
  event: string;
  data: string;
}

export const parseEvent = ({ data }: Block): Event => JSON.parse(data) as Event;

/** Connects to a stream and yields its blocks, until it ends or `signal` is aborted. */
export async function* readStream(
  url: string,
  headers: Record<string, string> = {},
  signal: AbortSignal = AbortSignal.timeout(30_000),
): AsyncGenerator<Block> {
  const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal });
  if (response.status !== 200 || !response.body) throw new Error(`${response.status} ${await response.text()}`);
  let text = '';
  const decoder = new TextDecoder();
  for await (const bytes of response.body) {
    text += decoder.decode(bytes as Uint8Array, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    yield* blocks.map(parseBlock);
  }
}

function parseBlock(block: string): Block {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
  return { id: field('id'), event: field('event'), data: field('data') };
}

/** The next `count` events of a stream. */
export async function take(stream: AsyncGenerator<Block>, count: number): Promise<Event[]> {
  const events: Event[] = [];
  while (events.length < count) {
    const { value, done } = await stream.next();
    if (done) throw new Error(`The stream ended after ${events.length} of ${count} events`);
    if (value.event === 'problem') throw new Error(value.data);
    if (value.data !== '') events.push(parseEvent(value));
  }
  return events;
}
