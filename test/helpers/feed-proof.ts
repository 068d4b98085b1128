// Proves of a change feed that its readers miss no event, get none twice, and all get them in one order.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Test } from 'tap';
import { parseEvent, readStream } from './events.js';
import type { Service } from './service.js';

const WRITERS = 64;
const READERS = 8;
const SLOW_TRANSACTIONS = 4;
const PROJECTS = ['consilio', 'odin', 'openhorizon', 'shared-services'];
const WAIT_MS = 60_000;
/** How many events each reader gets, and how often it comes again, before the writers stop. */
const LEAST_EVENTS = 100;
const LEAST_RECONNECTS = 3;

interface ReadEvent {
  id: string;
  type: string;
  subject: string;
}

interface Reader {
  read: ReadEvent[];
  reconnects: number;
}

const random = (most: number) => Math.floor(Math.random() * most);
const oneOf = <T>(values: readonly T[]): T => values[random(values.length)] as T;

/**
 * Lets writers and readers work while `disturb` does what it wants, and compares what each reader got.
 * @param services those that run at the moment
 * @param databaseUrl for slow transactions beside the services; null on the embedded database
 */
export async function proveFeed(
  t: Test,
  services: () => Service[],
  databaseUrl: string | null,
  disturb: () => Promise<void>,
): Promise<void> {
  const state = { isWriting: true, last: Number.POSITIVE_INFINITY };
  const writers = Array.from({ length: WRITERS }, (_, i) => write(i, services, state));
  const slow =
    databaseUrl === null ? [] : Array.from({ length: SLOW_TRANSACTIONS }, () => writeSlowly(databaseUrl, state));
  const readers = Array.from({ length: READERS }, (): Reader => ({ read: [], reconnects: -1 }));
  const reading = readers.map((reader) => read(reader, services, state));
  await disturb();
  // On a slow machine there is more to wait for, so that the proof is as strong there.
  const isEnough = ({ read, reconnects }: Reader) => read.length > LEAST_EVENTS && reconnects > LEAST_RECONNECTS;
  for (const until = Date.now() + WAIT_MS; !readers.every(isEnough) && Date.now() < until; ) await sleep(50);
  state.isWriting = false;
  await Promise.all([...writers, ...slow]);

  const listed = await listAll(oneOf(services()));
  state.last = Number(listed.at(-1)?.id);
  t.comment(`${listed.length} events`);
  t.ok(listed.length > LEAST_EVENTS, 'much has happened');
  t.strictSame(
    listed.map(({ id }) => id),
    listed.map((_, i) => String(i + 1)),
    'one place after the other',
  );
  await Promise.all(reading);
  for (const events of readers) {
    t.ok(events.reconnects > LEAST_RECONNECTS, `${events.reconnects} reconnects`);
    const difference = events.read.findIndex(({ id }, i) => id !== listed[i]?.id);
    t.equal(difference, -1, 'none missing, none double, in one order');
    t.equal(events.read.length, listed.length);
  }
  const created = new Set<string>();
  const early = listed.filter(({ type, subject }) => {
    if (type === 'allocation.created') created.add(subject);
    return type === 'allocation.released' && !created.has(subject);
  });
  t.strictSame(early, [], 'nothing is released before it is created');
}

interface State {
  isWriting: boolean;
  /** Readers stop behind this event. */
  last: number;
}

async function write(i: number, services: () => Service[], state: State): Promise<void> {
  const path = `/v1/projects/${oneOf(PROJECTS)}/services/writer-${i}`;
  while (state.isWriting) {
    await oneOf(services())
      .call(oneOf(['PUT', 'PUT', 'DELETE']), path, undefined, { timeoutMs: 10_000 })
      .catch(() => sleep(50));
    await sleep(random(20));
  }
}

/** Has ids of events long before it commits. */
async function writeSlowly(connectionString: string, state: State): Promise<void> {
  while (state.isWriting) {
    const client = new pg.Client({ connectionString });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('begin');
      await client.query(`select record_event('range.changed', null, 'ranges/1', current_actor(), '{}')`);
      await sleep(random(800));
      await client.query(`select record_event('range.changed', null, 'ranges/2', current_actor(), '{}')`);
      await client.query(oneOf(['commit', 'commit', 'rollback']));
    } catch {
      await sleep(100); // the database is away
    } finally {
      await client.end().catch(() => {});
    }
  }
}

async function read(reader: Reader, services: () => Service[], state: State): Promise<void> {
  let lastEventId = '0';
  for (const deadline = { at: Number.POSITIVE_INFINITY }; Number(lastEventId) < state.last; ) {
    if (!state.isWriting && deadline.at === Number.POSITIVE_INFINITY) deadline.at = Date.now() + WAIT_MS;
    if (Date.now() > deadline.at) break;
    reader.reconnects += 1;
    const leaving = AbortSignal.timeout(200 + random(1500));
    try {
      const url = await oneOf(services()).url;
      for await (const block of readStream(`${url}/v1/events`, { 'last-event-id': lastEventId }, leaving)) {
        if (block.event === 'problem') break;
        if (block.data !== '') {
          const { id, type, subject } = parseEvent(block);
          reader.read.push({ id, type, subject });
        }
        if (block.id !== '') lastEventId = block.id;
      }
    } catch {
      await sleep(50); // the reader has left, or the service or its database is away
    }
  }
}

async function listAll(service: Service): Promise<ReadEvent[]> {
  const all: ReadEvent[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { body, status } = await service.call(
      'GET',
      `/v1/events?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    if (status !== 200) throw new Error(JSON.stringify(body));
    all.push(...body.items);
    cursor = body.nextCursor;
  }
  return all;
}
