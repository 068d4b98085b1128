import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.js';
import { AppError } from '../errors.js';
import { isLocalhostName, isLoopback } from '../schemas/host.js';

const PREFLIGHT_SECONDS = 600;

/**
 * Decides which web pages may call the service: pages on this machine, the dashboard at PUBLIC_URL, and pages of
 * ALLOWED_ORIGINS. Comes before the check of keys, because a browser sends no key with its preflight request.
 */
export async function registerOrigins(
  app: FastifyInstance,
  { allowedOrigins, publicUrl }: Pick<Config, 'allowedOrigins' | 'publicUrl'>,
): Promise<void> {
  refuseOtherOrigins(app, publicUrl === null ? allowedOrigins : [...allowedOrigins, new URL(publicUrl).origin]);
  if (allowedOrigins.length > 0) await letOriginsRead(app, allowedOrigins);
}

/**
 * Refuses requests of all other pages. CORS alone does not prevent these: some kinds of POST are sent for any page
 * without a preflight request. The browser names the page's origin in `Origin`.
 */
function refuseOtherOrigins(app: FastifyInstance, allowed: readonly string[]): void {
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

/** Lets pages of the allowed origins read the answers (CORS). Without it, only the service's own pages can. */
async function letOriginsRead(app: FastifyInstance, allowed: readonly string[]): Promise<void> {
  await app.register(cors, {
    origin: [...allowed],
    methods: ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE'],
    exposedHeaders: [
      'etag',
      'idempotent-replayed',
      'link',
      'location',
      'retry-after',
      'www-authenticate',
      'x-duplicate-hostnames',
      'x-request-id',
    ],
    maxAge: PREFLIGHT_SECONDS,
    strictPreflight: false,
  });
}

function isLocal(origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const host = new URL(origin).hostname.replace(/^\[(.*)\]$/, '$1');
  return isLoopback(host) || isLocalhostName(host);
}
