// Does the main job with the class that swagger-typescript-api generates.
import assert from 'node:assert/strict';
import {
  type AllocatedPair,
  type Allocation,
  Api,
  type AuditConflict,
  type EnvironmentService,
  type HttpResponse,
  type Problem,
} from './generated/swagger-typescript-api/registry';

const { v1: registry } = new Api({ baseUrl: process.argv[2] ?? '' });
const project = 'swagger-typescript-api';

const range = await registry.createRange({ project });
const first: number = range.data.startPort;

const created = await registry.getOrAllocatePort(project, 'web');
assert.equal(created.status, 201);
const allocation: Allocation = created.data;
assert.equal(allocation.port, first);
assert.equal(allocation.description, null);
const again = await registry.getOrAllocatePort(project, 'web', {}, {});
assert.equal(again.status, 200);
assert.equal(again.data.port, first);

const further = await registry.allocatePort(project, { service: 'worker' });
assert(!('items' in further.data));
assert.equal(further.data.port, first + 1);

const services: EnvironmentService[] = [{ service: 'web' }, { service: 'api', serviceType: 'http' }];
const environment = await registry.allocateEnvironment(project, 'feature-x', { services });
assert.deepEqual(
  environment.data.items.map(({ port }) => port),
  [first + 2, first + 3],
);

const query = { project, status: 'allocated', limit: 3 } as const;
const page = await registry.listAllocations(query);
const cursor: string | null = page.data.nextCursor;
assert(cursor);
const rest = await registry.listAllocations({ ...query, cursor });
assert.deepEqual([page.data.items.length, rest.data.items.length, rest.data.nextCursor], [3, 1, null]);

const reservation = await registry.reservePort(project, { ttlSeconds: 60 });
const claimed = await registry.claimReservation(reservation.data.id, { service: 'search' });
assert.equal(claimed.data.port, reservation.data.port);

const both = await registry.allocatePort(project, { service: 'quic', protocol: 'both', prefer: first + 60 });
assert('items' in both.data);
const pair: AllocatedPair = both.data;
assert.deepEqual(
  pair.items.map(({ port, protocol }) => [port, protocol]),
  [
    [first + 60, 'tcp'],
    [first + 60, 'udp'],
  ],
);

const imported = await registry.importPorts({ items: [{ port: first + 50, service: 'grafana' }] });
assert.equal(imported.data.items[0]?.outcome, 'adopted');

const audit = await registry.auditPorts({});
const conflict: AuditConflict | undefined = audit.data.conflicts.find(({ port }) => port === first);
assert.equal(conflict?.kind, 'not-running');

const released = await registry.releaseAllocation(allocation.id);
assert.equal(released.data.status, 'released');

const gone = await registry.getServicePort(project, 'web').catch((answer: HttpResponse<never, Problem>) => answer);
const problem: Problem = gone.error;
assert.equal(problem.code, 'allocation-not-found');
assert.match(problem.detail, /web/);
