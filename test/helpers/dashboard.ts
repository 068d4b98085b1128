import type { FastifyInstance } from 'fastify';
import pLimit from 'p-limit';
import type { Test } from 'tap';
import type { Database } from '../../src/database/connect.js';
import type { ServiceOptions } from '../../src/service.js';
import type { requester } from './app.js';
import { serveFeed } from './events.js';
import { listen } from './listeners.js';

/** A loopback address that only this process uses. Nothing else that listens on this machine is found there. */
export const PROBED = `127.88.${(process.pid >> 8) % 256}.${process.pid % 256}`;

/**
 * Starts the real app on a port, with the change feed running. Its audits of `localhost` probe an address where only the
 * test's listeners are.
 */
export async function serve(
  t: Test,
  database: Database,
  variables: Record<string, string> = {},
  options: Pick<ServiceOptions, 'cloudflareUrl'> = {},
): Promise<{ app: FastifyInstance; url: string; request: ReturnType<typeof requester> }> {
  const probing = { PROBE_TARGETS: `localhost=${PROBED}`, ...variables };
  const { app, url, request } = await serveFeed(t, database, probing, options);
  return { app, url: `${url}/`, request };
}

/** Fills the registry so that, after `runServices` and an audit, ports in every state are on the map. */
export async function fillRegistry(request: ReturnType<typeof requester>): Promise<void> {
  const stack = (project: string, environment: string, services: string[]) =>
    request('PUT', `/v1/projects/${project}/environments/${environment}`, {
      services: services.map((service) => ({ service, ...(environment === 'default' && DETAILS[service]) })),
    });
  for (const environment of ['default', 'staging', 'feature-login']) {
    await stack('consilio', environment, ['api', 'web', 'worker', 'postgres', 'redis', 'metrics']);
  }
  await stack('meta-supervisor', 'default', ['supervisor', 'scheduler', 'api']);
  await stack(
    'openhorizon',
    'default',
    Array.from({ length: 84 }, (_, i) => `agent-${i + 1}`),
  );
  await stack('odin', 'default', ['ingest', 'query', 'index-1', 'index-2', 'index-3']);
  await stack(
    'health-agent',
    'default',
    Array.from({ length: 100 }, (_, i) => `check-${i + 1}`),
  );
  await stack('quiculum-monitor', 'default', ['collector', 'dashboard']);
  await stack('shared-services', 'default', ['postgres', 'redis', 'nats', 'minio', 'grafana', 'prometheus', 'loki']);
  await request('PATCH', '/v1/ranges/3300', { reuseCooldownSeconds: 86_400 });
  for (const service of ['index-1', 'index-3']) await request('DELETE', `/v1/projects/odin/services/${service}`);
  const reservation = { ttlSeconds: 86_400, reservedBy: 'release pipeline', reason: 'Announced to the firewall team' };
  await request('POST', '/v1/projects/odin/reservations', { ...reservation, service: 'search', port: 3320 });
  await request('POST', '/v1/projects/consilio/reservations', { ...reservation, port: 3140 });
  await request('PUT', '/v1/projects/odin/services/ingest?host=build-1', {});
}

const DETAILS: Record<string, object> = {
  web: { serviceType: 'http', description: 'The public site', cloudflareHostname: 'www.example.com' },
  grafana: { serviceType: 'http', cloudflareHostname: 'grafana.example.com', metadata: { team: 'platform' } },
};

/**
 * Listens on most ports that are held. On 3104 something listened and has stopped since. On 3190, which nobody holds,
 * and on 3320, whose reservation has not been claimed, something listens too.
 */
export async function runServices(t: Test, request: ReturnType<typeof requester>): Promise<void> {
  const items: { id: string; port: number }[] = (await request('GET', '/v1/allocations?host=localhost&limit=1000')).body
    .items;
  const stopping = await listen(t, PROBED, 3104);
  for (const { port } of items) {
    if (port !== 3104 && port !== 3109 && port % 7 !== 0) await listen(t, PROBED, port);
  }
  await request('POST', '/v1/audits', { host: 'localhost' });
  await new Promise((resolve) => stopping.close(resolve));
  await request('POST', `/v1/allocations/${items.find(({ port }) => port === 3104)?.id}/health-checks`);
  await listen(t, PROBED, 3190);
  await listen(t, PROBED, 3320);
}

/** How many projects are filled at the same time. */
const AT_A_TIME = 4;

/** Fills the registry with projects that hold the same number of ports each, in environments of a few services. */
export async function fillLarge(request: ReturnType<typeof requester>, projects: number, ports: number): Promise<void> {
  const names = Array.from({ length: projects }, (_, i) => `project-${i + 1}`);
  const each = Math.ceil(ports / projects);
  const services = Array.from({ length: each }, (_, i) => ({ service: `service-${i + 1}` }));
  const fill = async (project: string) => {
    const made = await request('PUT', `/v1/projects/${project}`, {});
    if (made.status !== 201) throw new Error(`${project} was not created: ${JSON.stringify(made.body)}`);
    const filled = await request('PUT', `/v1/projects/${project}/environments/default`, { services });
    if (filled.status !== 201) throw new Error(`${project} was not filled: ${JSON.stringify(filled.body)}`);
  };
  // New ranges wait for one another: on a busy machine the last of all at once would wait for longer than it may.
  const fewAtATime = pLimit(AT_A_TIME);
  await Promise.all(names.map((project) => fewAtATime(fill, project)));
}
