// One project's key fills everything that a project may hold. It is stopped at each limit, and others notice nothing.
import pg from 'pg';
import t, { type Test } from 'tap';
import { CallersBeside, makeProjectKey, startSmallService } from '../helpers/beside.js';
import { createDatabase } from '../helpers/database.js';
import { bearer } from '../helpers/keys.js';
import { openBlackHole } from '../helpers/listeners.js';
import type { Reply, Service } from '../helpers/service.js';

const CALLERS = 200;
const LIMIT = 50;
const LIMITS = {
  MAX_HOSTS_PER_PROJECT: String(LIMIT),
  MAX_ENVIRONMENTS_PER_PROJECT: String(LIMIT),
  MAX_RESERVATIONS_PER_PROJECT: String(LIMIT),
  MAX_IDEMPOTENCY_KEYS_PER_PROJECT: String(LIMIT),
  MAX_HEALTH_CHECKS_PER_PROJECT: String(LIMIT),
};
const HOST = '127.0.0.43';
const project = '/v1/projects/consilio';

type Ask = (i: number) => [method: string, path: string, body?: object, headers?: Record<string, string>];

/** What the key asks for, once for each caller, and the query that counts what became of it. */
const kinds: { variable: string; ask: Ask; count: string }[] = [
  {
    variable: 'MAX_HOSTS_PER_PROJECT',
    ask: (i) =>
      i % 4 > 0
        ? ['PUT', `${project}/services/web?host=h${i}.example`]
        : ['POST', `${project}/reservations`, { ttlSeconds: 60, host: `h${i}.example`, service: 'fills-hosts' }],
    count: `select count(distinct host) from (
      select host from port_allocations where project = 'consilio' and released_at is null
      union select host from port_reservations where project = 'consilio') hosts where host <> 'localhost'`,
  },
  {
    variable: 'MAX_ENVIRONMENTS_PER_PROJECT',
    ask: (i) => ['PUT', `${project}/environments/env-${i}`, { services: [{ service: 'web' }] }],
    count: `select count(distinct environment) from port_allocations
      where project = 'consilio' and released_at is null and environment <> 'default'`,
  },
  {
    variable: 'MAX_RESERVATIONS_PER_PROJECT',
    ask: () => ['POST', `${project}/reservations`, { ttlSeconds: 1, protocol: 'udp' }],
    count: `select count(*) from port_reservations where project = 'consilio'`,
  },
  {
    variable: 'MAX_IDEMPOTENCY_KEYS_PER_PROJECT',
    ask: (i) => {
      const body = { service: 'web', protocol: 'udp' };
      return ['POST', `${project}/allocations`, body, { 'idempotency-key': `key-${i}` }];
    },
    count: `select count(*) from idempotency_keys where project = 'consilio'`,
  },
];

/** Sends the requests of all callers at once. */
function askAtOnce(service: Service, key: string, ask: Ask): Promise<Reply[]> {
  return Promise.all(
    Array.from({ length: CALLERS }, (_, i) => {
      const [method, path, body, headers = {}] = ask(i);
      return service.call(method, path, body, { headers: { ...bearer(key), ...headers }, timeoutMs: 20_000 });
    }),
  );
}

t.test(
  'a key is stopped at each limit of its project, by the name of the limit, and others notice nothing',
  async (t) => {
    const url = await createDatabase(t, process.env.TEST_TEMPLATE);
    const service = await startSmallService(t, { ...LIMITS, DATABASE_URL: url, PROBE_TARGETS: `localhost=${HOST}` });
    const database = new pg.Client({ connectionString: url });
    await database.connect();
    t.teardown(() => database.end());
    const count = async (query: string) => Number((await database.query(query)).rows[0].count);
    const key = await makeProjectKey(service, 'consilio');
    const held = await service.call('PUT', `${project}/services/held`, {}, { headers: bearer(key) });
    const beside = await CallersBeside.start(service);
    for (const { variable, ask, count: query } of kinds) {
      const began = performance.now();
      const replies = await askAtOnce(service, key, ask);
      const created = replies.filter(({ status }) => status === 201).length;
      const refused = replies.filter(
        ({ body }) => body.code === 'limit-reached' && body.detail.includes(variable),
      ).length;
      const rows = await count(query);
      t.equal(rows, LIMIT, `${variable}: ${rows} of ${LIMIT}`);
      t.equal(created + refused, CALLERS, `${variable}: ${created} created, ${refused} refused, none otherwise`);
      t.comment(`${variable}: ${created} of ${CALLERS} created in ${Math.round(performance.now() - began)} ms`);
    }
    await probeAgainAndAgain(t, service, key, held.body.id, count);
    await openBlackHole(t, HOST, held.body.port); // so that an audit takes a second
    await auditAtOnce(t, service, key);
    t.match(await service.call('PUT', `${project}/services/held`, {}, { headers: bearer(key) }), { status: 200 });
    t.comment(`the callers beside: ${JSON.stringify(await beside.stop(t))}`);
  },
);

async function probeAgainAndAgain(
  t: Test,
  service: Service,
  key: string,
  id: string,
  count: (query: string) => Promise<number>,
): Promise<void> {
  const replies = await askAtOnce(service, key, () => ['POST', `/v1/allocations/${id}/health-checks`]);
  t.ok(replies.every(({ status }) => status === 201));
  const rows = await count(`select count(*) from port_health_checks where project = 'consilio'`);
  // Checks of one millisecond are kept or deleted together.
  t.ok(rows >= LIMIT && rows <= LIMIT + 10, `${rows} health checks are kept, of ${LIMIT}`);
}

async function auditAtOnce(t: Test, service: Service, key: string): Promise<void> {
  const replies = await askAtOnce(service, key, () => ['POST', '/v1/audits', { project: 'consilio' }]);
  t.equal(replies.filter(({ status }) => status === 200).length, 1, 'one audit is made');
  const refused = replies.filter(
    ({ body, headers }) => body.code === 'too-many-requests' && headers.has('retry-after'),
  );
  t.equal(refused.length, CALLERS - 1);
}
