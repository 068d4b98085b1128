// What is told of ports when the process has no file descriptor left for a probe.
import { sql } from 'kysely';
import t from 'tap';
import { createDatabase, openPostgres } from '../../helpers/database.js';
import type { Requests } from '../../helpers/exhausted.js';
import { listen } from '../../helpers/listeners.js';
import { startProcess } from '../../helpers/service.js';

const HOST = '127.0.0.92';
const LIMIT = 1000;
const TIMEOUT_MS = 300;

t.test('a process without descriptors judges no port, stores nothing, and says what it lacks', async (t) => {
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  const { db } = await openPostgres(t, url);
  await sql`insert into port_allocations (port, project, service, host)
    values (3300, 'odin', 'up', 'web'), (3301, 'odin', 'down', 'web')`.execute(db);
  const { id: up } = await db
    .selectFrom('port_allocations')
    .select('id')
    .where('service', '=', 'up')
    .executeTakeFirstOrThrow();
  await listen(t, HOST, 3300);
  await listen(t, HOST, 3350);

  const scope = { project: 'odin', host: 'web', unallocated: true };
  const requests: Requests = {
    before: [['POST', '/v1/audits', scope]],
    meanwhile: [
      ['POST', '/v1/audits', scope],
      ['POST', `/v1/allocations/${up}/health-checks`],
      ['GET', '/v1/allocations?project=odin'],
      ['GET', '/metrics'],
    ],
    after: [
      ['GET', `/v1/allocations/${up}/health-checks`],
      ['POST', '/v1/audits', scope],
    ],
  };
  const variables = {
    DATABASE_URL: url,
    PROBE_TARGETS: `web=${HOST}`,
    PROBE_TIMEOUT_MS: String(TIMEOUT_MS),
  };
  const { exited, output } = startProcess(t, 'test/helpers/exhausted.js', variables, [JSON.stringify(requests)], LIMIT);
  t.equal(await exited, 0);
  const { before, meanwhile, after } = JSON.parse(output());
  const judged = { allocated: 2, inUse: 1, notRunning: 1, health: 50, checkedPorts: 100 };
  t.match(before[0].body, { ...judged, conflicts: [{ kind: 'not-running', port: 3301 }, { kind: 'squatter' }] });

  const [audit, check, list, metrics] = meanwhile;
  const named = /This process may have 1000 open files \(ulimit -n\), and has used them up\. Raise that limit/;
  t.match(audit.body, { allocated: 2, inUse: 0, notRunning: 0, health: null, checkedPorts: 0 });
  t.match(audit.body.conflicts, [
    { kind: 'not-judged', port: null, host: 'web', service: null, actual: '98 ports not judged (EMFILE)' },
    { kind: 'not-judged', port: 3300, service: 'up', environment: 'default', actual: 'not judged (EMFILE)' },
    { kind: 'not-judged', port: 3301, service: 'down' },
  ]);
  t.equal(audit.body.conflicts.length, 3);
  for (const { detail } of audit.body.conflicts) t.match(detail, named);
  t.ok(audit.ms >= TIMEOUT_MS, 'it was tried again for as long as a probe may take');
  t.match(check, { status: 503, body: { code: 'overloaded', detail: named }, headers: { 'retry-after': '5' } });
  t.match(list.body.items, [{ status: 'in_use' }, { status: 'allocated' }], 'the statuses are as they were');
  t.match(metrics.body, /port_allocator_probe_duration_seconds_count\{outcome="not-judged"\} 101\n/);

  const [checks, later] = after;
  t.match(checks.body.items, [{ outcome: 'open' }]);
  t.equal(checks.body.items.length, 1, 'only what was judged before is stored');
  t.match(later.body, judged, 'and it goes on as soon as there are descriptors again');
});
