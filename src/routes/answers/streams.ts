import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { mediaTypes } from '../../media-types.js';

/**
 * Sends `{"items":[…]}` with other fields. One page is an answer like any other. If there are more, they are read and
 * sent one after another, as fast as the client takes them. A failure after the first then breaks the connection off.
 * @param others at least one field
 * @param pages may be empty, where what they should have has changed since the page before
 */
export async function sendItems<T>(
  reply: FastifyReply,
  pages: AsyncGenerator<T[], void>,
  others: object,
): Promise<unknown> {
  const first = (await pages.next()).value ?? [];
  const { value: second } = await pages.next();
  if (second === undefined) return { items: first, ...others };
  return reply.type(mediaTypes.json).send(toStream(writeItems([first, second], pages, others)));
}

async function* writeItems<T>(read: T[][], unread: AsyncGenerator<T[]>, others: object): AsyncGenerator<string> {
  let before = '{"items":[';
  for await (const items of concat(read, unread)) {
    if (items.length === 0) continue;
    yield before + JSON.stringify(items).slice(1, -1);
    before = ',';
  }
  yield `${before === ',' ? '' : before}],${JSON.stringify(others).slice(1)}`;
}

export async function* concat<T>(read: Iterable<T>, unread: AsyncIterable<T>): AsyncGenerator<T> {
  yield* read;
  yield* unread;
}

/** Fastify destroys the stream if the client leaves, which also ends the generator. */
export function toStream(pieces: AsyncGenerator<string>): Readable {
  return Readable.from(pieces, { highWaterMark: 1 }); // pieces, each of some hundred kilobytes
}
