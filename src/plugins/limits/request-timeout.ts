import type { FastifyInstance } from 'fastify';
import { AppError } from '../../errors.js';
import { NOT_WHOLE } from '../malformed-http.js';
import { sendProblem } from '../problems.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How long the route may take, in ms, instead of REQUEST_TIMEOUT_MS; null exempts it. */
    timeoutMs?: number | null;
  }
}

const RETRY_AFTER_SECONDS = 1;

/**
 * Answers a request that takes too long with a refusal. The work itself is not interrupted: it ends by its own limits
 * (for locks, statements and connections). A command that has not begun by then is never executed, because its caller
 * counts as gone (`isAbandoned`).
 *
 * Fastify's own `handlerTimeout` cannot be used: up to 5.12 it is cleared as soon as the body has been read.
 */
export function registerRequestTimeout(app: FastifyInstance, requestTimeoutMs: number): void {
  app.addHook('onRequest', (request, reply, done) => {
    const { timeoutMs = requestTimeoutMs } = request.routeOptions.config;
    if (timeoutMs === null) return done();
    const timer = setTimeout(() => {
      if (reply.sent || reply.raw.headersSent) return;
      // If the request has not arrived completely, its remaining bytes would be read as the next request, and would
      // keep the socket open for as long as they trickle in. So the connection is closed.
      const isWhole = request.raw.complete !== false;
      if (!isWhole) reply.header('connection', 'close');
      sendProblem(isWhole ? tookTooLong(timeoutMs) : new AppError('validation-failed', NOT_WHOLE), request, reply);
    }, timeoutMs);
    reply.raw.once('close', () => clearTimeout(timer));
    done();
  });
}

function tookTooLong(timeoutMs: number): AppError {
  const message = `This took longer than ${timeoutMs} ms; try again. If this was a change, it may still be made.`;
  return new AppError('overloaded', message, { retryAfter: RETRY_AFTER_SECONDS, isOutcomeUnknown: true });
}
