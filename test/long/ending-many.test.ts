// The end of audits with hundreds of probes under way, none of which is answered.
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import t from 'tap';
import { loadConfig } from '../../src/config.js';
import { Registry } from '../../src/registry/registry.js';
import { Auditor } from '../../src/services/audits/audit.js';
import { Prober } from '../../src/services/probes/prober.js';
import { openPostgres } from '../helpers/database.js';
import { countUnanswered, openBlackHoles } from '../helpers/listeners.js';

const HOST = '127.0.0.72';
const FIRST = 9000;
const COUNT = 200;
/** An abort takes some milliseconds. A busy machine may take longer, and a probe a minute. */
const AT_ONCE_MS = 500;

t.test('hundreds of probes under way end at once', { skip: process.platform !== 'linux' }, async (t) => {
  const { db } = await openPostgres(t);
  await openBlackHoles(
    t,
    HOST,
    Array.from({ length: COUNT }, (_, i) => FIRST + i),
  );
  await sql`insert into port_allocations (port, project, service, host)
    select ${FIRST}::integer + i, 'shared-services', 'silent-' || i, 'web' from generate_series(0, ${COUNT}::integer - 1) i`.execute(
    db,
  );
  const warnings: string[] = [];
  const onWarning = ({ message }: Error) => warnings.push(message);
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));
  const prober = new Prober(loadConfig({ PROBE_TARGETS: `web=${HOST}`, PROBE_TIMEOUT_MS: '60000' }));
  const auditor = new Auditor(prober);
  const session = new Registry(db).asBackground();
  const allUnderWay = async () => {
    while ((await countUnanswered(HOST)) < COUNT) await sleep(20);
  };
  /** Ends an audit under way. @returns how long it took until its caller knew, and until its sockets were closed */
  const end = async (audit: Promise<unknown>, abort: () => void) => {
    await allUnderWay();
    const begun = performance.now();
    abort();
    await audit.catch(() => {});
    const told = performance.now() - begun;
    while ((await countUnanswered(HOST)) > 0) await sleep(1);
    return { told, closed: performance.now() - begun };
  };

  for (let i = 0; i < 2; i++) {
    const leaving = new AbortController();
    const audit = auditor.run(session, {}, { signal: leaving.signal });
    const { told, closed } = await end(audit, () => leaving.abort());
    await t.rejects(audit, { code: 'overloaded', message: /client left/ });
    t.ok(told < AT_ONCE_MS && closed < AT_ONCE_MS, `told after ${told} ms, closed after ${closed} ms`);
  }

  const audit = auditor.run(session, {});
  const { told, closed } = await end(audit, () => prober.stop());
  await t.rejects(audit, { code: 'overloaded', message: /shutting down/ });
  t.ok(told < AT_ONCE_MS && closed < AT_ONCE_MS, `told after ${told} ms, closed after ${closed} ms`);

  for (let i = 0; i < 3; i++) {
    await t.rejects(auditor.run(session, {}), { code: 'overloaded', message: /shutting down/ });
    await t.rejects(prober.probe({ addresses: [HOST], error: null }, FIRST), { code: 'overloaded' });
  }
  await sleep(50);
  t.equal(await countUnanswered(HOST), 0, 'a stopped auditor stays stopped');
  const { rows } = await sql`select from port_health_checks`.execute(db);
  t.equal(rows.length, 0, 'nothing is stored of what was cut off');
  t.same(warnings, []);
});
