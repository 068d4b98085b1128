import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors.js';
import { isLoopback } from '../schemas/host.js';

/**
 * Refuses requests of foreign pages: a browser sends some kinds of POST for any page it shows, and names the page
 * in `Origin`.
 * @param allowed origins beside the local ones: those of PUBLIC_URL, where the dashboard is, and of ALLOWED_ORIGINS
 */
export function registerOrigins(app: FastifyInstance, allowed: readonly string[]): void {
  app.addHook('onRequest', ({ headers: { origin } }, _reply, done) => {
    if (origin === undefined || allowed.includes(origin) || isLocal(origin)) return done();
    done(
      new AppError(
        'forbidden',
        `Pages of ${JSON.stringify(origin)} may not call this service. Add it to ALLOWED_ORIGINS if they should.`,
      ),
    );
  });
}

function isLocal(origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const host = new URL(origin).hostname.replace(/^\[(.*)\]$/, '$1');
  return isLoopback(host) || host.endsWith('.localhost');
}
