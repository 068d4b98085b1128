import { setTimeout } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { mediaTypes } from '../media-types.js';
import type { Metrics } from '../metrics.js';
import type { Observer } from '../observer.js';
import { shareForASecond } from '../registry/queues/share.js';
import type { Registry } from '../registry/registry.js';
import { countPortsByProject } from '../repositories/reports/counts.js';

declare module 'fastify' {
  interface FastifyInstance {
    observer: Observer;
  }
}

/**
 * How long a scrape waits for the database. Prometheus gives up a scrape after 10 s by default. The metrics that the
 * process measures itself must be answered by then, even if the database does not respond.
 */
const DATABASE_TIMEOUT_MS = 3000;

/** Counts and times every answer by the pattern of its route. */
export function registerMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.decorate('observer', metrics);
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
    metrics.answered(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    done();
  });
}

/**
 * Serves `/metrics` in the text format of Prometheus. The text is made once a second, however many ask for it: to count
 * the ports of all projects takes the database a second in a large registry.
 */
export function serveMetrics(app: FastifyInstance, metrics: Metrics, registry: Registry): void {
  // Shared by itself too, because it may take longer than a text that does not wait for it.
  const countPorts = shareForASecond(() => registry.asBackground().read(countPortsByProject));
  const render = shareForASecond(async () => {
    const answered = new AbortController();
    const projects = await Promise.race([
      countPorts().catch(() => null),
      setTimeout(DATABASE_TIMEOUT_MS, null, { ref: false, signal: answered.signal }).catch(() => null),
    ]);
    answered.abort();
    return metrics.render(projects);
  });
  const config = { produces: [mediaTypes.metrics] };
  app.get('/metrics', { schema: { hide: true }, config }, async ({ caller }, reply) => {
    registry.as(caller, 'read').access.requireEveryProject();
    return reply.type(mediaTypes.metrics).send(await render());
  });
}
