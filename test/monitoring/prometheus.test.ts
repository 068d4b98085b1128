import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { inspect } from 'node:util';
import t, { type Test } from 'tap';
import { request } from 'undici';
import { parse } from 'yaml';
import { packageRoot } from '../../src/package-root.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';

const folder = join(packageRoot, 'deploy/monitoring');
const DEADLINE_MS = 60_000;

/** The metrics of a service that has allocated, refused and audited. */
async function scrape(t: Test): Promise<string> {
  const request = requester(await makeApp(t, await openPostgres(t)));
  await request('PUT', '/v1/projects/odin/services/a');
  await request('PUT', '/v1/projects/nobody/services/a');
  await request('POST', '/v1/audits', {});
  return (await request('GET', '/metrics')).text;
}

t.test('the alerting rules are valid, and fire when they should', async (t) => {
  const promtool = (...args: string[]) => execFileSync('promtool', args, { cwd: folder, encoding: 'utf8' });
  t.match(promtool('check', 'rules', 'alerts.yml'), /SUCCESS/);
  t.match(promtool('check', 'config', 'prometheus.yml'), /SUCCESS/);
  t.match(promtool('test', 'rules', 'alerts.test.yml'), /SUCCESS/);
});

t.test('every alert has a severity, an explanation, and a link to the documentation', async (t) => {
  const { groups } = parse(await readFile(join(folder, 'alerts.yml'), 'utf8'));
  const tests = await readFile(join(folder, 'alerts.test.yml'), 'utf8');
  const runbook = await readFile(join(packageRoot, 'docs/runbook.md'), 'utf8');
  const rules = groups.flatMap((group: { rules: { alert?: string }[] }) => group.rules);
  for (const { alert, labels, annotations } of rules.filter((rule: { alert?: string }) => rule.alert)) {
    t.match(labels.severity, /^(warning|critical)$/, alert);
    for (const name of ['summary', 'description']) t.match(annotations[name], /\w/, `${alert}: ${name}`);
    t.equal(annotations.runbook_url, `docs/runbook.md#${alert.toLowerCase()}`);
    t.match(runbook, new RegExp(`^## ${alert}$`, 'm'));
    t.match(tests, new RegExp(`alertname: ${alert}\\b`), `${alert} has a test in alerts.test.yml`);
  }
});

t.test('promtool finds nothing to say about the metrics', async (t) => {
  const text = await scrape(t);
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  t.same([stdout, stderr], ['', '']);
  t.equal(status, 0);
});

t.test('the Grafana dashboard asks for metrics that there are', async (t) => {
  const text = await scrape(t);
  const dashboard = await readFile(join(folder, 'grafana-dashboard.json'), 'utf8');
  const asked = [...dashboard.matchAll(/\b(?:port_allocator|http_request|nodejs|process)_\w+/g)].map(([name]) => name);
  t.ok(asked.length > 8);
  for (const name of new Set(asked)) {
    t.match(text, new RegExp(`^# TYPE ${name.replace(/_(bucket|count|sum)$/, '')}(_\\w+)? `, 'm'), name);
  }
});

t.test('a real Prometheus scrapes the service, fires the 80 % alert, and finds targets by http_sd', async (t) => {
  const app = await makeApp(t, await openPostgres(t));
  const send = requester(app);
  const address = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  const services = Array.from({ length: 81 }, (_, i) => ({ service: `s${i}` }));
  t.equal((await send('PUT', '/v1/projects/odin/environments/default', { services })).status, 201);

  const home = t.testdir();
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [join(folder, 'alerts.yml')],
    scrape_configs: [
      { job_name: 'port-allocator', static_configs: [{ targets: [address.host] }] },
      { job_name: 'services', http_sd_configs: [{ url: `${address.origin}/v1/exports/prometheus?project=odin` }] },
    ],
  };
  await writeFile(join(home, 'prometheus.yml'), JSON.stringify(config)); // JSON is YAML
  const prometheus = spawn('prometheus', [
    `--config.file=${join(home, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(home, 'data')}`,
    '--web.listen-address=127.0.0.1:0',
  ]);
  t.teardown(async () => {
    const ended = once(prometheus, 'exit');
    prometheus.kill();
    await ended;
  });
  let log = '';
  const port = await new Promise((resolve, reject) => {
    // The output has to be read to the end, or Prometheus would stop when the pipe is closed.
    prometheus.stderr.on('data', (chunk) => {
      log += chunk;
      const [, listening] = /Listening on.*address=127\.0\.0\.1:([1-9]\d*)/.exec(log) ?? [];
      if (listening !== undefined) resolve(listening);
    });
    prometheus.stderr.on('end', () => reject(new Error(`Prometheus did not start: ${log}`)));
  });
  const ask = async (path: string) => {
    const { body } = await request(`http://127.0.0.1:${port}/api/v1/${path}`);
    // biome-ignore lint/suspicious/noExplicitAny: read as any client reads it
    return ((await body.json()) as any).data;
  };

  await until(async () => {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/-/ready`);
    await body.dump();
    return statusCode === 200 || undefined;
  });
  const alert = await until(
    async () => {
      const { alerts } = await ask('alerts');
      return alerts.find((one: { state: string }) => one.state === 'firing');
    },
    async () => [await ask('rules?type=alert'), await ask('targets?scrapePool=port-allocator'), log],
  );
  t.match(alert, {
    labels: { alertname: 'PortRangeNearlyFull', severity: 'warning', project: 'odin' },
    annotations: { summary: 'Project odin has allocated 81% of its ports' },
  });
  const targets = await until(async () => {
    const { activeTargets } = await ask('targets?state=active');
    const found = activeTargets.filter(({ scrapePool }: { scrapePool: string }) => scrapePool === 'services');
    return found.length === 81 ? found : undefined;
  });
  t.ok(targets.some(({ labels }: { labels: object }) => t.match(labels, { project: 'odin', environment: 'default' })));
  const { droppedTargets } = await ask('targets?state=dropped');
  t.same(droppedTargets, [], 'no target is refused');
});

/** @param explain returns the message of the error if nothing was found in time */
async function until<T>(find: () => Promise<T | undefined>, explain?: () => Promise<unknown>): Promise<T> {
  for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline; await setTimeout(200)) {
    const found = await find();
    if (found !== undefined) return found;
  }
  throw new Error(`not within the deadline: ${inspect(await explain?.(), { depth: 6 })}`);
}
