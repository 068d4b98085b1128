import type { PassThrough } from 'node:stream';
import type { StdioServerTransport } from '@modelcontextprotocol/server/stdio';

/** How long requests may still be answered after their client has said its last; a new database opens within it. */
const LAST_ANSWERS_MS = 60_000;

/**
 * Lets stdin end for the transport, which reads `input`, once the requests that came are answered: it aborts what is
 * under way when its input ends, and the last answers of `printf … | npm run mcp` would be lost.
 * @param wire served already
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
      // A subscription is answered when it ends, and a cancelled request never.
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
    // In the next turn, because the transport reads what is still in `input` in this one.
    setImmediate(() => {
      ended = true;
      endIfAnswered();
    });
    setTimeout(() => input.end(), LAST_ANSWERS_MS).unref();
  });
}
