import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';

const PREFLIGHT_SECONDS = 600;

/**
 * Lets pages of the allowed origins read what they are answered; without any, no page but our own can. Comes after
 * what refuses foreign origins, and before what asks for a key, which a preflight has not.
 */
export async function registerCors(app: FastifyInstance, allowed: readonly string[]): Promise<void> {
  if (allowed.length === 0) return;
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
