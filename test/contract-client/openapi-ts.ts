// Does the main job with the functions that @hey-api/openapi-ts generates.
import assert from 'node:assert/strict';
import {
  type AllocatedPair,
  type Allocation,
  type AuditConflict,
  allocateEnvironment,
  allocatePort,
  auditPorts,
  claimReservation,
  createRange,
  type EnvironmentService,
  getOrAllocatePort,
  getServicePort,
  importPorts,
  listAllocations,
  type Problem,
  releaseAllocation,
  reservePort,
} from './generated/openapi-ts/registry';
import { client } from './generated/openapi-ts/registry/client.gen';

client.setConfig({ baseUrl: process.argv[2] ?? '' });
const project = 'openapi-ts';
const web = { path: { project, service: 'web' } };

const range = await createRange({ body: { project } });
assert(range.data);
const first: number = range.data.startPort;

const created = await getOrAllocatePort(web);
assert.equal(created.response?.status, 201);
assert(created.data);
const allocation: Allocation = created.data;
assert.equal(allocation.port, first);
assert.equal(allocation.description, null);
const again = await getOrAllocatePort({ ...web, body: {} });
assert.equal(again.response?.status, 200);
assert.equal(again.data?.port, first);

const further = await allocatePort({ path: { project }, body: { service: 'worker' } });
assert(further.data && !('items' in further.data));
assert.equal(further.data.port, first + 1);

const services: EnvironmentService[] = [{ service: 'web' }, { service: 'api', serviceType: 'http' }];
const environment = await allocateEnvironment({ path: { project, environment: 'feature-x' }, body: { services } });
assert.deepEqual(
  environment.data?.items.map(({ port }) => port),
  [first + 2, first + 3],
);

const query = { project, status: 'allocated', limit: 3 } as const;
const page = await listAllocations({ query });
const cursor: string | null | undefined = page.data?.nextCursor;
assert(cursor);
const rest = await listAllocations({ query: { ...query, cursor } });
assert.deepEqual([page.data?.items.length, rest.data?.items.length, rest.data?.nextCursor], [3, 1, null]);

const reservation = await reservePort({ path: { project }, body: { ttlSeconds: 60 } });
assert(reservation.data);
const claimed = await claimReservation({ path: { id: reservation.data.id }, body: { service: 'search' } });
assert.equal(claimed.data?.port, reservation.data.port);

const both = await allocatePort({ path: { project }, body: { service: 'quic', protocol: 'both', prefer: first + 60 } });
assert(both.data && 'items' in both.data);
const pair: AllocatedPair = both.data;
assert.deepEqual(
  pair.items.map(({ port, protocol }) => [port, protocol]),
  [
    [first + 60, 'tcp'],
    [first + 60, 'udp'],
  ],
);

const imported = await importPorts({ body: { items: [{ port: first + 50, service: 'grafana' }] } });
assert.equal(imported.data?.items[0]?.outcome, 'adopted');

const audit = await auditPorts({ body: {} });
const conflict: AuditConflict | undefined = audit.data?.conflicts.find(({ port }) => port === first);
assert.equal(conflict?.kind, 'not-running');

const released = await releaseAllocation({ path: { id: allocation.id } });
assert.equal(released.data?.status, 'released');

const gone = await getServicePort(web);
const problem: Problem | undefined = gone.error;
assert.equal(problem?.code, 'allocation-not-found');
assert.match(problem.detail, /web/);
