import type { FastifyInstance } from 'fastify';

const SWEEP_MS = 50;

/**
 * Stops listening, and closes the app once all requests under way have been answered.
 *
 * Two kinds of connection would keep it open for longer. Fastify closes those that are idle when the closing begins,
 * but one whose answer is still being sent at that moment becomes idle only later, and its client may keep it for over
 * a minute. Therefore idle connections are closed again and again until the app is closed. And on some connections
 * nothing was ever asked: Node does not call them idle, so only `cutAfterMs` ends them.
 * @param cutAfterMs when every connection that is left is cut, in ms after the closing began: no sooner than the slowest
 * request is answered. Null never cuts: the closing then takes as long as the slowest request.
 */
export async function closeServer(app: FastifyInstance, cutAfterMs: number | null): Promise<void> {
  const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS);
  const cut = cutAfterMs === null ? undefined : setTimeout(() => app.server.closeAllConnections(), cutAfterMs);
  try {
    await app.close();
  } finally {
    clearInterval(sweep);
    clearTimeout(cut);
  }
}
