import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import type { Test } from 'tap';
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config.js';
import type { Database } from '../../../src/database/connect.js';
import { Metrics } from '../../../src/metrics.js';
import { createService } from '../../../src/service.js';
import { runTunnelSync } from '../../../src/services/cloudflare/background.js';
import { requester } from '../app.js';
import { openPostgres } from '../database.js';
import { CLOUDFLARE, type CloudflareStandIn, startCloudflare } from './api.js';

/** Starts one replica of a service that keeps the tunnel in step. Its background runs only once `follow` is called. */
export async function startReplica(t: Test, database: Database, cloudflare: CloudflareStandIn, variables = {}) {
  const config = loadConfig({ ...CLOUDFLARE, AVOID_LISTENING: 'false', ...variables });
  const metrics = new Metrics();
  const log = pino({ level: 'silent' });
  const service = createService({ database, config, log, observer: metrics, cloudflareUrl: cloudflare.url });
  const app = await buildApp(service, metrics);
  t.teardown(() => app.close());
  const request = requester(app);
  return {
    app,
    request,
    allocate: async (name: string, cloudflareHostname: string) =>
      request('PUT', `/v1/projects/shop/services/${name}?createProject=true`, { cloudflareHostname }),
    plan: () => request('GET', '/v1/cloudflare/plan'),
    apply: () => request('POST', '/v1/cloudflare/apply'),
    status: async () => (await request('GET', '/v1/cloudflare')).body,
    metric: async (name: string) => {
      await sleep(1050); // the text is made once a second
      const { text } = await request('GET', '/metrics');
      return Number(text.split(`\nport_allocator_cloudflare_${name} `)[1]?.split('\n')[0]);
    },
    follow: () => {
      const stop = new AbortController();
      const parts = { config: config.cloudflare, feed: service.feed, log };
      const running = Promise.all([
        service.feed.run(stop.signal),
        runTunnelSync(service.tunnelSync, parts, stop.signal),
      ]);
      const end = async () => {
        stop.abort();
        await running;
      };
      t.teardown(end);
      return end;
    },
  };
}

/** Starts the stand-in and one replica on a database of its own. */
export async function startTunnel(t: Test, variables = {}) {
  const cloudflare = await startCloudflare(t);
  const database = await openPostgres(t);
  return { cloudflare, database, ...(await startReplica(t, database, cloudflare, variables)) };
}
