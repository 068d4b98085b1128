import t, { type Test } from 'tap';
import { loadConfig } from '../../../src/config.js';
import { Registry } from '../../../src/registry/registry.js';
import { runAudit } from '../../../src/services/audits/audit.js';
import { Prober } from '../../../src/services/probes/prober.js';
import { makeApp, requester } from '../../helpers/app.js';
import { openPostgres } from '../../helpers/database.js';
import { listen, openBlackHole } from '../../helpers/listeners.js';

const HOST = '127.0.0.41';
const TARGETS = { PROBE_TARGETS: `web=${HOST}`, PROBE_TIMEOUT_MS: '300' };

async function setUp(t: Test, variables: Record<string, string> = {}) {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }, { ...TARGETS, ...variables }));
  const allocate = async (path: string, query = 'host=web', body: object = {}) => {
    const [project, service] = path.split('/');
    return (await request('PUT', `/v1/projects/${project}/services/${service}?${query}`, body)).body;
  };
  const audit = async (scope: object = {}) => (await request('POST', '/v1/audits', scope)).body;
  const reserve = (project: string, port: number, minutes: number) =>
    db
      .insertInto('port_reservations')
      .values({
        port,
        project,
        host: 'web',
        protocol: 'tcp',
        status: 'active',
        created_at: new Date(),
        expires_at: new Date(Date.now() + minutes * 60_000),
        service: null,
        reserved_by: null,
        reason: null,
        ended_at: null,
        allocation_id: null,
      })
      .execute();
  return { db, request, allocate, audit, reserve };
}

t.test('each kind of conflict, in a fixed order', async (t) => {
  const { request, allocate, audit, reserve } = await setUp(t);
  const up = await allocate('odin/up');
  const down = await allocate('odin/down', 'host=web', { cloudflareHostname: 'api.example.com' });
  const slow = await allocate('odin/slow');
  await allocate('odin/dns', 'host=web&protocol=udp');
  const twin = await allocate('consilio/twin', 'host=web', { cloudflareHostname: 'api.example.com' });
  await reserve('odin', 3350, 5);
  await reserve('odin', 3351, -5);
  for (const port of [up.port, twin.port, 3350, 3351, 3399]) await listen(t, HOST, port);
  await openBlackHole(t, HOST, slow.port);

  const result = await audit({ unallocated: true });
  t.match(result, { allocated: 5, inUse: 2, notRunning: 1, health: 50 });
  t.equal(result.checkedPorts, 2 * (6 * 100 + 1000), 'localhost, and web, where something is held');
  const here = result.conflicts.filter(({ host }: { host: string }) => host === 'web');
  const own = new RegExp(`pid ${process.pid}\\b`); // other tests may listen on the same number
  const onLocalhost = result.conflicts.filter(
    ({ host, port, actual }: Record<string, string | number>) =>
      host === 'localhost' && port === up.port && own.test(`${actual}`),
  );
  t.same(onLocalhost, [], 'who listens on the address of the host that holds the port is no squatter');
  t.same(
    here.map(({ kind, port, protocol, project, service }: Record<string, unknown>) => [
      kind,
      port,
      protocol,
      project,
      service,
    ]),
    [
      ['duplicate-hostname', twin.port, 'tcp', 'consilio', 'twin'],
      ['duplicate-hostname', down.port, 'tcp', 'odin', 'down'],
      ['not-running', down.port, 'tcp', 'odin', 'down'],
      ['unreachable', slow.port, 'tcp', 'odin', 'slow'],
      ['reserved-in-use', 3350, 'tcp', 'odin', null],
      ['squatter', 3351, 'tcp', 'odin', null],
      ['squatter', 3399, 'tcp', 'odin', null],
    ],
  );
  for (const { expected, actual, detail } of here) for (const text of [expected, actual, detail]) t.match(text, /\w/);
  const statuses = (await request('GET', '/v1/allocations?project=odin&protocol=tcp')).body.items;
  t.same(
    statuses.map(({ service, status }: { service: string; status: string }) => [service, status]),
    [
      ['up', 'in_use'],
      ['down', 'allocated'],
      ['slow', 'allocated'],
    ],
  );
});

t.test('who listens on an excluded port that nobody holds is no squatter', async (t) => {
  const { request, audit, reserve } = await setUp(t);
  for (const port of [3397, 3398]) await request('PUT', `/v1/excluded-ports/${port}`, { reason: 'Our VPN client' });
  await reserve('odin', 3398, 5);
  for (const port of [3397, 3398, 3399]) await listen(t, HOST, port);
  const { conflicts } = await audit({ host: 'web', unallocated: true });
  t.match(conflicts, [
    { kind: 'reserved-in-use', port: 3398 },
    { kind: 'squatter', port: 3399 },
  ]);
  t.equal(conflicts.length, 2);
});

t.test('one project or one host can be audited alone', async (t) => {
  const { allocate, audit } = await setUp(t);
  await allocate('odin/a');
  await allocate('consilio/b');
  await allocate('consilio/c', 'host=localhost');
  t.match(await audit({ project: 'odin' }), { allocated: 1, checkedPorts: 1, health: 0 });
  t.match(await audit({ host: 'web' }), { allocated: 2, checkedPorts: 2 });
  t.match(await audit({ project: 'consilio', host: 'web' }), { allocated: 1, checkedPorts: 1 });
  t.match(await audit({ project: 'openhorizon' }), { allocated: 0, checkedPorts: 0, health: null, conflicts: [] });
  t.match(await audit({ project: 'openhorizon', host: 'web', unallocated: true }), { allocated: 0, checkedPorts: 100 });
});

t.test('a host that may not be probed is reported, and the rest is audited', async (t) => {
  const { request, allocate, audit } = await setUp(t);
  await allocate('odin/a');
  await allocate('odin/b', 'host=10.0.0.5');
  await allocate('odin/c', 'host=10.0.0.5');
  const { conflicts, ...figures } = await audit();
  t.match(figures, { allocated: 3, checkedPorts: 1, notRunning: 1, health: 0 });
  t.match(conflicts, [
    { kind: 'unreachable', port: null, host: '10.0.0.5', service: null, detail: /PROBE_ALLOWED_HOSTS/ },
    { kind: 'not-running', service: 'a' },
  ]);
  t.match(await request('POST', '/v1/audits', { host: '10.0.0.5' }), { status: 422, body: { code: 'not-probeable' } });
  t.match(await request('POST', '/v1/audits', { project: 'none' }), {
    status: 404,
    body: { code: 'project-not-found' },
  });
  t.match(await request('POST', '/v1/audits', { everything: true }), { status: 400 });
});

t.test('a port that gets another holder during the audit stays as it is, and is not reported', async (t) => {
  const { db, request, allocate } = await setUp(t);
  const leaving = await allocate('odin/leaving');
  await allocate('odin/staying');
  await listen(t, HOST, leaving.port);
  await listen(t, HOST, 3360);
  let released = {};
  let changed: Promise<void> | undefined;
  const change = async () => {
    released = (await request('DELETE', `/v1/allocations/${leaving.id}`)).body;
    await request('POST', '/v1/projects/odin/allocations', { service: 'new', host: 'web', port: 3360 });
  };
  /** Called at the first probe. By then the audit has read the registry. */
  class LateProber extends Prober {
    override async probe(...target: Parameters<Prober['probe']>) {
      changed ??= change();
      await changed;
      return super.probe(...target);
    }
  }
  const scope = { host: 'web', project: 'odin', unallocated: true };
  const result = await runAudit(new Registry(db).asBackground(), new LateProber(loadConfig(TARGETS)), scope);
  t.match(result, { allocated: 1, inUse: 0, notRunning: 1 });
  t.same(
    result.conflicts.map(({ kind, port }) => [kind, port]),
    [['not-running', 3301]],
  );
  t.same((await request('GET', `/v1/allocations/${leaving.id}`)).body, released);
});

t.test('an allocation that is released during the audit is not reported, however late that happens', async (t) => {
  const { db, request, allocate } = await setUp(t);
  const leaving = await allocate('odin/leaving');
  const udp = await allocate('odin/udp', 'host=web&protocol=udp');
  await allocate('odin/staying');
  /** Releases both after everything has been probed and stored. */
  const session = new Registry(db).asBackground();
  const change = session.change.bind(session);
  let released = false;
  session.change = async (subject, work, queue) => {
    const result = await change(subject, work, queue);
    for (const { id } of [leaving, udp]) await request('DELETE', `/v1/allocations/${id}`);
    released = true;
    return result;
  };
  const result = await runAudit(session, new Prober(loadConfig(TARGETS)), { host: 'web' });
  t.ok(released);
  t.match(result, { allocated: 1, inUse: 0, notRunning: 1, health: 0 });
  t.same(
    result.conflicts.map(({ kind, service }) => [kind, service]),
    [['not-running', 'staying']],
  );
});

t.test(
  'ports without a listener on this machine are counted and take no turn',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const { db } = await setUp(t);
    await listen(t, '127.0.0.1', 3594);
    const progress: number[][] = [];
    const scope = { project: 'quiculum-monitor', unallocated: true };
    const onProgress = (...figures: number[]) => void progress.push(figures);
    const result = await runAudit(new Registry(db).asBackground(), new Prober(loadConfig({})), scope, { onProgress });
    t.equal(result.checkedPorts, 100);
    t.match(
      result.conflicts.find(({ port }) => port === 3594),
      { kind: 'squatter' },
    );
    t.ok(progress.length < 50, `${progress.length} turns`);
    t.same(progress.at(-1), [100, 100]);
  },
);

t.test('the process that listens on this machine is named', { skip: process.platform !== 'linux' }, async (t) => {
  const { audit } = await setUp(t);
  await listen(t, '::1', 3595);
  const { conflicts } = await audit({ project: 'quiculum-monitor', unallocated: true });
  t.match(
    conflicts.find(({ port }: { port: number }) => port === 3595),
    { kind: 'squatter', actual: `node, pid ${process.pid}` },
  );
});
