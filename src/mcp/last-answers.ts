import type { PassThrough } from 'node:stream';
import type { StdioServerTransport } from '@modelcontextprotocol/server/stdio';

/** How long requests may still be answered after stdin has ended. Long enough to create a database. */
const LAST_ANSWERS_MS = 60_000;

/**
 * Passes stdin on to the transport, but delays its end until all requests have been answered. The transport aborts
 * requests when its input ends, so that without the delay the last answers of `printf … | npm run mcp` would be lost.
 * @param wire the transport, which reads `input` and is connected to a server already
 */
export function endOnceAnswered(wire: StdioServerTransport, input: PassThrough): void {
  const unanswered = new Set<unknown>();
  let ended = false;
  const endIfAnswered = () => {
    if (ended && unanswered.size === 0) input.end();
  };

  const deliver = wire.onmessage;
  wire.onmessage = (message) => {
    if ('method' in message) {
      // Not waited for: a subscription, which is answered only when it ends, and a cancelled request, which never is.
      if ('id' in message && message.method !== 'subscriptions/listen') unanswered.add(message.id);
      if (message.method === 'notifications/cancelled') unanswered.delete(message.params?.requestId);
    }
    deliver?.(message);
  };
  const send = wire.send.bind(wire);
  wire.send = (message) =>
    send(message).finally(() => {
      if (!('method' in message)) unanswered.delete(message.id);
      endIfAnswered();
    });

  process.stdin.pipe(input, { end: false });
  process.stdin.once('close', () => {
    // In the next turn of the event loop, because in this one the transport still reads requests from `input`.
    setImmediate(() => {
      ended = true;
      endIfAnswered();
    });
    setTimeout(() => input.end(), LAST_ANSWERS_MS).unref();
  });
}
