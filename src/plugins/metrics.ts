import { setTimeout } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../metrics.js';
import type { Observer } from '../observer.js';
import type { Registry } from '../registry/registry.js';
import { findOccupancy } from '../repositories/occupancy.js';

declare module 'fastify' {
  interface FastifyInstance {
    observer: Observer;
  }
}

/** A scrape is given up after 10 s by default; what the process itself measured must be there by then. */
const DATABASE_TIMEOUT_MS = 3000;

/** Measures every answer by its route's pattern. */
export function registerMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.decorate('observer', metrics);
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
    metrics.answered(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    done();
  });
}

/** `/metrics`, in Prometheus' text format. */
export function serveMetrics(app: FastifyInstance, metrics: Metrics, registry: Registry): void {
  const config = { produces: ['text/plain'], vital: true };
  app.get('/metrics', { schema: { hide: true }, config }, async ({ caller }, reply) => {
    const session = registry.as(caller, 'read');
    session.access.requireEveryProject();
    const late = new AbortController();
    const occupancy = await Promise.race([
      session.read(findOccupancy).catch(() => null),
      setTimeout(DATABASE_TIMEOUT_MS, null, { ref: false, signal: late.signal }).catch(() => null),
    ]);
    late.abort();
    return reply.type(metrics.registry.contentType).send(await metrics.render(occupancy));
  });
}
