import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Metrics } from '../../src/metrics.js';
import { makeApp, requester } from '../helpers/app.js';
import { databases, openPostgres } from '../helpers/database.js';
import { insertReservation } from '../helpers/rows.js';

/** Reads Prometheus' text format. Returns the values by `name{labels}`, as it is written there. */
function parse(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

for (const [name, open] of databases) {
  t.test(`metrics, on ${name}`, async (t) => {
    const { db } = await open(t);
    const app = await makeApp(t, { db });
    const request = requester(app);
    /** What the process measures itself. `/metrics` answers with it as it was up to a second ago. */
    const measured = async () => parse(await (app.observer as Metrics).registry.metrics());

    t.test('tell how full every project is, as the summary does', async (t) => {
      for (const service of ['a', 'b', 'c']) await request('PUT', `/v1/projects/consilio/services/${service}`);
      await request('PUT', '/v1/projects/odin/services/a?host=build-1&protocol=udp');
      await request('PATCH', '/v1/ranges/3100', { reuseCooldownSeconds: 600 });
      await request('DELETE', '/v1/projects/consilio/services/b');
      await insertReservation(db, { port: 3150, project: 'consilio', seconds: 60 });
      const samples = parse((await request('GET', '/metrics')).text);
      const { body } = await request('GET', '/v1/projects/consilio/summary');
      const of = (figure: string, project: string, host = 'localhost', protocol = 'tcp') =>
        samples.get(`port_allocator_project_${figure}{project="${project}",host="${host}",protocol="${protocol}"}`);
      t.equal(of('ports', 'consilio'), 100);
      t.equal(of('allocated_ports', 'consilio'), body.allocatedPorts);
      t.equal(of('in_use_ports', 'consilio'), body.inUsePorts);
      t.equal(of('reserved_ports', 'consilio'), body.reservedPorts);
      t.equal(of('cooling_ports', 'consilio'), body.coolingPorts);
      t.equal(of('available_ports', 'consilio'), body.availablePorts);
      t.equal(of('utilization_ratio', 'consilio'), 0.02);
      t.equal(of('allocated_ports', 'odin'), 0, 'every project has its series on localhost/tcp');
      t.equal(of('allocated_ports', 'odin', 'build-1', 'udp'), 1);
      t.equal(
        of('allocated_ports', 'consilio', 'build-1', 'udp'),
        undefined,
        'and elsewhere only where it holds something',
      );
    });

    t.test('count what was allocated, released and refused', async (t) => {
      const before = await measured();
      const rise = (after: Map<string, number>, series: string) => (after.get(series) ?? 0) - (before.get(series) ?? 0);
      await request('PUT', '/v1/projects/odin/environments/x', { services: [{ service: 'a' }, { service: 'b' }] });
      await request('PUT', '/v1/projects/odin/environments/x', { services: [{ service: 'a' }, { service: 'c' }] });
      await request('PUT', '/v1/projects/odin/environments/y', { services: [{ service: 'a' }, { service: 'A' }] });
      await request('DELETE', '/v1/projects/odin/environments/x');
      await request('POST', '/v1/imports?dryRun=true', { items: [{ port: 3350, service: 'i' }] });
      await request('POST', '/v1/imports', { items: [{ port: 3350, service: 'i' }] });
      await request('PUT', '/v1/projects/nobody/services/a');
      await request('GET', '/no/such/path');
      const after = await measured();
      t.equal(rise(after, 'port_allocator_allocations_total{project="odin"}'), 4);
      t.equal(rise(after, 'port_allocator_releases_total{project="odin"}'), 3);
      t.equal(rise(after, 'port_allocator_refusals_total{code="validation-failed"}'), 1);
      t.equal(rise(after, 'port_allocator_refusals_total{code="project-not-found"}'), 1);
      t.equal(rise(after, 'port_allocator_refusals_total{code="not-found"}'), 1);
      t.ok(rise(after, 'port_allocator_batch_size_count{queue="commands"}') >= 3);
      t.ok(rise(after, 'port_allocator_queue_duration_seconds_count{queue="look-ups"}') >= 1);
    });

    t.test('time requests by the pattern of their route, never by their path', async (t) => {
      await request('GET', '/v1/projects/odin/services/no-such-service');
      await request('GET', `/no/${'x'.repeat(40)}`);
      await sleep(1000); // until /metrics is no longer what the test above has asked for
      const { text } = await request('GET', '/metrics');
      const samples = parse(text);
      const labels = 'method="GET",route="/v1/projects/:project/services/:service",status_code="404"';
      t.ok((samples.get(`http_request_duration_seconds_count{${labels}}`) ?? 0) >= 1);
      t.ok((samples.get('http_request_duration_seconds_count{method="GET",route="none",status_code="404"}') ?? 0) >= 1);
      t.notMatch(text, /no-such-service|xxxx/);
    });

    t.test('tell of probes, and of the last audit of everything', async (t) => {
      const server = createServer().listen(3410, '127.0.0.1');
      t.teardown(() => server.close());
      await request('POST', '/v1/projects/health-agent/allocations', { service: 'up', port: 3410 });
      await request('POST', '/v1/audits', { project: 'health-agent' });
      t.equal((await measured()).get('port_allocator_audit_last_timestamp_seconds'), 0, 'a part is not everything');
      const audit = (await request('POST', '/v1/audits', {})).body;
      const samples = await measured();
      const down = audit.conflicts.filter(({ kind }: { kind: string }) => kind === 'not-running').length;
      t.ok(down > 0);
      t.equal(samples.get('port_allocator_audit_findings{kind="not-running"}'), down);
      t.equal(samples.get('port_allocator_audit_findings{kind="squatter"}'), undefined, 'it did not look for these');
      const at = samples.get('port_allocator_audit_last_timestamp_seconds') ?? 0;
      t.ok(Math.abs(Date.now() / 1000 - at) < 60);
      t.ok((samples.get('port_allocator_probe_duration_seconds_count{outcome="open"}') ?? 0) >= 2);
      const lookedAt = (of: Map<string, number>, kind: string) =>
        of.get(`port_allocator_audit_findings_timestamp_seconds{kind="${kind}"}`);
      t.ok((lookedAt(samples, 'not-running') ?? 0) >= at - 1);
      t.equal(lookedAt(samples, 'squatter'), undefined);
      await request('POST', '/v1/audits', { unallocated: true });
      const strangers = await measured();
      t.type(strangers.get('port_allocator_audit_findings{kind="squatter"}'), 'number');
      await request('POST', '/v1/audits', {});
      const again = await measured();
      t.equal(lookedAt(again, 'squatter'), lookedAt(strangers, 'squatter'), 'what stands, stands at its own time');
      t.ok((lookedAt(again, 'not-running') ?? 0) > (lookedAt(strangers, 'not-running') ?? 0));
    });

    t.test('are in the format and under the names that Prometheus expects', async (t) => {
      const answer = await request('GET', '/metrics', undefined, {
        accept: 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1',
      });
      t.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/);
      t.equal(parse(answer.text).get('port_allocator_database_up'), 1);
      for (const expected of ['nodejs_eventloop_lag_p99_seconds', 'process_resident_memory_bytes']) {
        t.ok(parse(answer.text).has(expected), expected);
      }
      for (const [, metric = '', type] of answer.text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
        if (metric.startsWith('port_allocator_')) t.equal(metric.endsWith('_total'), type === 'counter', metric);
      }
    });
  });
}

t.test('what the service tells of events, webhooks and the tunnel is measured', async (t) => {
  const metrics = new Metrics();
  metrics.eventsWaiting(3);
  metrics.eventStreams(2);
  metrics.webhookAttempted('delivered');
  metrics.webhookAttempted('failed');
  metrics.webhookAttempted('failed');
  metrics.webhooksPending(90);
  metrics.cloudflarePass('failed');
  metrics.cloudflareState(null, 4);
  const before = parse(await metrics.registry.metrics());
  t.equal(before.get('port_allocator_events_oldest_waiting_seconds'), 3);
  t.equal(before.get('port_allocator_event_streams'), 2);
  t.equal(before.get('port_allocator_webhook_attempts_total{outcome="delivered"}'), 1);
  t.equal(before.get('port_allocator_webhook_attempts_total{outcome="failed"}'), 2);
  t.equal(before.get('port_allocator_webhook_oldest_pending_seconds'), 90);
  t.equal(before.get('port_allocator_cloudflare_pending_changes'), 4);
  t.equal(before.get('port_allocator_cloudflare_last_success_timestamp_seconds'), 0);
  metrics.cloudflarePass('succeeded');
  metrics.cloudflareState(new Date(1_700_000_000_000), 0);
  const after = parse(await metrics.registry.metrics());
  t.equal(after.get('port_allocator_cloudflare_passes_total{outcome="succeeded"}'), 1);
  t.equal(after.get('port_allocator_cloudflare_last_success_timestamp_seconds'), 1_700_000_000);
  t.equal(after.get('port_allocator_cloudflare_pending_changes'), 0);
});

t.test('without the database, the metrics of the process itself are still served', async (t) => {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database));
  await request('PUT', '/v1/projects/odin/services/a');
  await database.close();
  const begun = performance.now();
  const samples = parse((await request('GET', '/metrics')).text);
  t.ok(performance.now() - begun < 8000, 'before Prometheus gives up');
  t.equal(samples.get('port_allocator_database_up'), 0);
  t.equal(samples.get('port_allocator_allocations_total{project="odin"}'), 1);
  t.notOk(
    [...samples.keys()].some((series) => series.startsWith('port_allocator_project_')),
    'and nothing stale',
  );
});
