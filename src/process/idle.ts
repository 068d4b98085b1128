import type { FastifyInstance } from 'fastify';
import { whenClosed } from '../when-closed.js';

/**
 * Ends a process that nobody uses: when for `idleMs` no request has arrived and none was under way. A connection on
 * which nothing is asked does not count. The time begins with the first request, or with the returned function.
 */
export function endWhenIdle(app: FastifyInstance, idleMs: number, end: () => void): () => void {
  let underWay = 0;
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    clearTimeout(timer);
    if (underWay === 0) timer = setTimeout(end, idleMs);
  };
  app.server.on('request', (_request, answer) => {
    underWay += 1;
    clearTimeout(timer);
    whenClosed(answer, () => {
      underWay -= 1;
      wait();
    });
  });
  return wait;
}
