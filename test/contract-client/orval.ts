// Does the main job with the functions that orval generates.
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
} from './generated/orval/registry';

const project = 'orval';

const range = await createRange({ project });
assert(range.status === 201);
const first: number = range.data.startPort;

const created = await getOrAllocatePort(project, 'web');
assert(created.status === 201);
const allocation: Allocation = created.data;
assert.equal(allocation.port, first);
assert.equal(allocation.description, null);
const again = await getOrAllocatePort(project, 'web', {});
assert(again.status === 200);
assert.equal(again.data.port, first);

const further = await allocatePort(project, { service: 'worker' });
assert(further.status === 201);
assert(!('items' in further.data));
assert.equal(further.data.port, first + 1);

const services: EnvironmentService[] = [{ service: 'web' }, { service: 'api', serviceType: 'http' }];
const environment = await allocateEnvironment(project, 'feature-x', { services });
assert(environment.status === 201);
assert.deepEqual(
  environment.data.items.map(({ port }) => port),
  [first + 2, first + 3],
);

const query = { project, status: 'allocated', limit: 3 } as const;
const page = await listAllocations(query);
assert(page.status === 200);
const cursor: string | null = page.data.nextCursor;
assert(cursor);
const rest = await listAllocations({ ...query, cursor });
assert(rest.status === 200);
assert.deepEqual([page.data.items.length, rest.data.items.length, rest.data.nextCursor], [3, 1, null]);

const reservation = await reservePort(project, { ttlSeconds: 60 });
assert(reservation.status === 201);
const claimed = await claimReservation(reservation.data.id, { service: 'search' });
assert(claimed.status === 201);
assert.equal(claimed.data.port, reservation.data.port);

const both = await allocatePort(project, { service: 'quic', protocol: 'both', prefer: first + 60 });
assert(both.status === 201 && 'items' in both.data);
const pair: AllocatedPair = both.data;
assert.deepEqual(
  pair.items.map(({ port, protocol }) => [port, protocol]),
  [
    [first + 60, 'tcp'],
    [first + 60, 'udp'],
  ],
);

const imported = await importPorts({ items: [{ port: first + 50, service: 'grafana' }] });
assert(imported.status === 200);
assert.equal(imported.data.items[0]?.outcome, 'adopted');

const audit = await auditPorts({});
assert(audit.status === 200);
const conflict: AuditConflict | undefined = audit.data.conflicts.find(({ port }) => port === first);
assert.equal(conflict?.kind, 'not-running');

const released = await releaseAllocation(allocation.id);
assert(released.status === 200);
assert.equal(released.data.status, 'released');

const gone = await getServicePort(project, 'web');
assert(gone.status === 404);
const problem: Problem = gone.data;
assert.equal(problem.code, 'allocation-not-found');
assert.match(problem.detail, /web/);
