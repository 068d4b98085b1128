// The token in the log. Here pino's lines are read before the service's own log would redact them.
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import t from 'tap';
import { buildApp } from '../../../src/app.js';
import { loadConfig } from '../../../src/config.js';
import { Metrics } from '../../../src/metrics.js';
import { createService } from '../../../src/service.js';
import { runTunnelSync } from '../../../src/services/cloudflare/background.js';
import { requester } from '../../helpers/app.js';
import { CLOUDFLARE, type Fault, startCloudflare, TOKEN } from '../../helpers/cloudflare/api.js';
import { openPostgres } from '../../helpers/database.js';

const FAULTS: Omit<Fault, 'on'>[] = [
  { status: 403, message: `The token ${TOKEN} may not do that` },
  { status: 400, message: `Bearer ${encodeURIComponent(TOKEN)}` },
  { breaksAfter: true },
];

async function start() {
  const cloudflare = await startCloudflare(t);
  const database = await openPostgres(t);
  const config = loadConfig(CLOUDFLARE);
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const log = pino({ level: 'trace' }, destination);
  const service = createService({ database, config, log, cloudflareUrl: cloudflare.url });
  const app = await buildApp(service, new Metrics());
  t.teardown(() => app.close());
  const request = requester(app);
  const path = '/v1/projects/shop/services/web?createProject=true';
  await request('PUT', path, { cloudflareHostname: 'shop.example.com' });
  const parts = { config: config.cloudflare, feed: service.feed, log };
  const { db } = database;
  /** Runs the background's passes until one has failed and is logged. */
  const failOnce = async () => {
    const stop = new AbortController();
    const running = runTunnelSync(service.tunnelSync, parts, stop.signal);
    while (!lines.some((line) => line.includes('could not be brought up to date'))) await sleep(20);
    stop.abort();
    await running;
  };
  const endPause = () =>
    db
      .updateTable('cloudflare_tunnels')
      .set({ retry_at: new Date(0) })
      .execute();
  return { cloudflare, request, lines, failOnce, endPause };
}

t.test('the token is in no line, after a pass that failed and after a call that was refused', async (t) => {
  const { cloudflare, request, lines, failOnce, endPause } = await start();
  cloudflare.faults.push({ on: /^GET/, status: 503 });
  t.equal((await request('POST', '/v1/cloudflare/apply')).status, 502, 'the background makes passes from now on');
  for (const fault of FAULTS) {
    for (const [name, path] of [
      ['a pass', null],
      ['apply', 'POST /v1/cloudflare/apply'],
      ['plan', 'GET /v1/cloudflare/plan'],
    ] as const) {
      lines.length = 0;
      await endPause();
      cloudflare.faults.push({ on: /^GET/, ...fault });
      const [method = '', url = ''] = path?.split(' ') ?? [];
      if (path === null) await failOnce();
      else t.equal((await request(method as 'GET', url)).status, 502);
      const told = path === null ? /Cloudflare (answered|gave no answer)/ : /"status":502/;
      t.match(lines.join(''), told, `${name} is in the log`);
      t.notMatch(lines.join('').toLowerCase(), TOKEN.slice(0, 12), name);
      t.strictSame(cloudflare.faults, []);
    }
  }
});
