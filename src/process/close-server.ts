import type { FastifyInstance } from 'fastify';

const CLOSE_IDLE_EVERY_MS = 50;

/**
 * Stops listening, and closes the app once all requests in progress have been answered.
 *
 * Two kinds of connections would keep the app open for longer:
 * - Fastify closes the connections that are idle when closing begins. A connection whose answer is still being sent at
 *   that moment becomes idle only later, and its client may keep it open for over a minute. Therefore idle connections
 *   are closed again and again until the app is closed.
 * - A connection on which no request was ever sent is not idle to Node. Only `cutAfterMs` ends it.
 * @param cutAfterMs how long after closing began, in ms, all remaining connections are cut. It must leave the slowest
 * request enough time to be answered. With null nothing is cut, and closing takes as long as the slowest request.
 */
export async function closeServer(app: FastifyInstance, cutAfterMs: number | null): Promise<void> {
  const closingIdle = setInterval(() => app.server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
  const cutting = cutAfterMs === null ? undefined : setTimeout(() => app.server.closeAllConnections(), cutAfterMs);
  try {
    await app.close();
  } finally {
    clearInterval(closingIdle);
    clearTimeout(cutting);
  }
}
