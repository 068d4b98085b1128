import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { sql } from 'kysely';
import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { Registry } from '../../src/registry/registry.js';
import { runAudit } from '../../src/services/audits/audit.js';
import { Prober } from '../../src/services/probes/prober.js';
import { openPostgres } from '../helpers/database.js';
import { listen, openBlackHole } from '../helpers/listeners.js';

setFlagsFromString('--expose-gc');
/** Collects garbage before measuring, since the size of the heap otherwise depends on when it was last collected. */
const collectGarbage = runInNewContext('gc') as () => void;

const HOST = '127.0.0.71';
const probeAll = (prober: Prober, count: number, portOf: (i: number) => number) =>
  Promise.all(Array.from({ length: count }, (_, i) => prober.probe({ addresses: [HOST], error: null }, portOf(i))));

t.test('1000 refused targets are done at once', async (t) => {
  const started = performance.now();
  const results = await probeAll(new Prober(loadConfig({})), 1000, (i) => 20_000 + i);
  t.ok(results.every(({ outcome }) => outcome === 'refused'));
  const took = performance.now() - started;
  t.ok(took < 5000, `it took ${took} ms`);
});

t.test('1000 timing-out targets take what concurrency and timeout allow', async (t) => {
  const port = await openBlackHole(t, HOST);
  const prober = new Prober(loadConfig({ PROBE_TIMEOUT_MS: '500', PROBE_CONCURRENCY: '256' }));
  const started = performance.now();
  const results = await probeAll(prober, 1000, () => port);
  t.ok(results.every(({ outcome }) => outcome === 'timeout'));
  const took = performance.now() - started;
  t.ok(took >= 4 * 495, `no more at a time than PROBE_CONCURRENCY: ${took} ms`);
  t.ok(took < 4 * 500 + 2000, `it took ${took} ms`);
});

t.test('100 audits leak neither descriptors nor memory', { skip: process.platform !== 'linux' }, async (t) => {
  const { db } = await openPostgres(t);
  for (let port = 3300; port < 3400; port += 10) await listen(t, HOST, port);
  await sql`insert into port_allocations (port, project, service, host)
    select port, 'odin', 'service-' || port, 'web' from generate_series(3300, 3399, 5) port`.execute(db);
  const prober = new Prober(loadConfig({ PROBE_TARGETS: `web=${HOST}` }));
  const audit = () =>
    runAudit(new Registry(db).asBackground(), prober, { host: 'web', project: 'odin', unallocated: true });
  const measure = () => {
    collectGarbage();
    return { heap: process.memoryUsage().heapUsed, descriptors: readdirSync('/proc/self/fd').length };
  };
  for (let i = 0; i < 20; i++) t.match(await audit(), { inUse: 10, notRunning: 10, checkedPorts: 100 });
  const before = measure();
  for (let i = 0; i < 100; i++) await audit();
  const after = measure();
  t.ok(after.descriptors <= before.descriptors + 2, `${before.descriptors} → ${after.descriptors} descriptors`);
  t.ok(after.heap < before.heap + 20_000_000, `${before.heap} → ${after.heap} bytes`);
  const { count } = await db
    .selectFrom('port_health_checks')
    .select((q) => q.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow();
  t.equal(Number(count), 120 * 20, 'every audit has stored its results');
});
