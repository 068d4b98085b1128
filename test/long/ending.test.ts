import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config.js';
import { closeServer } from '../../src/process/close-server.js';
import { Readiness } from '../../src/readiness.js';
import { Registry } from '../../src/registry/registry.js';
import { Auditor } from '../../src/services/audits/audit.js';
import { Prober } from '../../src/services/probes/prober.js';
import { runOnce } from '../../src/services/schedule.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { countUnanswered, listen, openBlackHole } from '../helpers/listeners.js';

const HOST = '127.0.0.71';
/** A probe of a port that does not answer takes longer than the whole test. */
const VARIABLES = { PROBE_TARGETS: `web=${HOST}`, PROBE_TIMEOUT_MS: '60000' };
/** Far less than a probe takes, and enough for a busy machine. */
const SOON_MS = 10_000;

/** One allocation whose port accepts, and one whose port does not answer. */
async function setUp(t: Test) {
  const { db } = await openPostgres(t);
  const open = await listen(t, HOST, 3300);
  await openBlackHole(t, HOST, 3301);
  await sql`insert into port_allocations (port, project, service, host)
    values (3300, 'odin', 'open', 'web'), (3301, 'odin', 'silent', 'web')`.execute(db);
  const prober = new Prober(loadConfig(VARIABLES));
  const session = new Registry(db).asBackground();
  const checks = () => db.selectFrom('port_health_checks').select('port').execute();
  const ofTheBlackHole = await countUnanswered(HOST, 3301);
  /** Waits until so many probes of the silent port are under way. */
  const probesUnderWay = async (count: number) => {
    while ((await countUnanswered(HOST, 3301)) < ofTheBlackHole + count) await setTimeout(20);
  };
  return { db, open, prober, session, auditor: new Auditor(prober), checks, probesUnderWay };
}

async function took(work: Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work.catch(() => {});
  return performance.now() - begun;
}

t.test('stopping ends an audit at once, although its probe would take a minute', async (t) => {
  const { prober, auditor, session, checks, probesUnderWay } = await setUp(t);
  const warnings: string[] = [];
  const onWarning = ({ message }: Error) => warnings.push(message);
  process.on('warning', onWarning);
  const audits = [1, 2, 3].map(() => auditor.run(session, {}));
  await probesUnderWay(3);
  prober.stop();
  const ms = await took(Promise.allSettled(audits));
  t.ok(ms < SOON_MS, `${ms} ms`);
  for (const audit of audits) await t.rejects(audit, { code: 'overloaded', message: /shutting down/ });
  t.same(await checks(), [], 'nothing is stored of a probe that was cut off, nor written after the end');
  t.same(warnings, []);
  process.off('warning', onWarning);
});

t.test('what was told to stop starts nothing', async (t) => {
  const { db, open, prober, auditor, session } = await setUp(t);
  let connections = 0;
  open.on('connection', () => connections++);
  prober.stop();
  await db.destroy(); // a query would be refused with another error
  await t.rejects(auditor.run(session, {}), { code: 'overloaded', message: /shutting down/ });
  await t.rejects(prober.resolve('localhost'), { code: 'overloaded' });
  await t.rejects(prober.probe({ addresses: [HOST], error: null }, 3300), { code: 'overloaded' });
  await setTimeout(50);
  t.equal(connections, 0);
  const readiness = new Readiness();
  readiness.stopping();
  readiness.started();
  t.equal(readiness.reason(), 'shutting down');
});

t.test(
  'an audit whose caller leaves ends at once, also while it waits for its turn, and no other one does',
  async (t) => {
    const { session, checks, probesUnderWay } = await setUp(t);
    const prober = new Prober(loadConfig({ ...VARIABLES, PROBE_CONCURRENCY: '1' }));
    const auditor = new Auditor(prober);
    const leaving = [new AbortController(), new AbortController()] as const;
    const first = auditor.run(session, {}, { signal: leaving[0].signal });
    await probesUnderWay(1);
    let second: Promise<unknown> = Promise.resolve();
    await new Promise<void>((resolve) => {
      second = auditor.run(session, {}, { signal: leaving[1].signal, onProgress: () => resolve() });
    });
    leaving[1].abort();
    t.ok((await took(second)) < SOON_MS, 'its probe has not begun, because the first audit has the only turn');
    await t.rejects(second, { code: 'overloaded', message: /client left/ });
    leaving[0].abort();
    t.ok((await took(first)) < SOON_MS);
    const left = await auditor.run(session, { project: 'consilio' });
    t.equal(left.checkedPorts, 0, 'the prober goes on');
    t.ok((await checks()).every(({ port }) => port === 3300));
  },
);

t.test('what an audit has stored before it ends stays stored', async (t) => {
  const { db, prober, auditor, session, checks } = await setUp(t);
  await sql`insert into port_allocations (port, project, service, host)
    select 9000 + i, 'shared-services', 'many', 'web' from generate_series(0, 999) i`.execute(db);
  const audit = auditor.run(session, {});
  for (let i = 0; i < 100 && (await checks()).length < 750; i++) await setTimeout(50);
  prober.stop();
  await t.rejects(audit, { message: /shutting down/ });
  const stored = await checks();
  t.ok(stored.length >= 750, `${stored.length}`);
  t.notOk(stored.some(({ port }) => port === 3301));
});

t.test('the service closes while a health check and an audit are under way, and both are told', async (t) => {
  const { db, checks, probesUnderWay } = await setUp(t);
  const app = await makeApp(t, { db }, VARIABLES);
  await app.listen({ port: 0 });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const { items } = (await requester(app)('GET', '/v1/allocations?port=3301')).body;
  const asked = ['/v1/audits', `/v1/allocations/${items[0].id}/health-checks`].map((path) =>
    fetch(url + path, { method: 'POST' }),
  );
  await probesUnderWay(asked.length);
  const ms = await took(closeServer(app, null));
  t.ok(ms < SOON_MS, `${ms} ms`);
  for (const answer of await Promise.all(asked)) {
    t.equal(answer.status, 503);
    t.match(await answer.json(), { code: 'overloaded', detail: /shutting down/ });
  }
  t.same(await checks(), []);
});

t.test('a scheduled pass does not begin if the process is stopped while its lease is taken', async (t) => {
  const { db } = await openPostgres(t);
  const stopping = new AbortController();
  let passes = 0;
  const job = { name: 'audit', run: async () => void passes++ };
  const pass = runOnce(db, job, new Date(1), stopping.signal);
  stopping.abort();
  await t.rejects(pass, { name: 'AbortError' });
  t.equal(passes, 0);
  t.equal(await runOnce(db, job, new Date(2), new AbortController().signal), true, 'and the lease is given up');
});
