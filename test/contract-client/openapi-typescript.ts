// Does the main job with openapi-fetch and the types that openapi-typescript generates.
import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { components, paths } from './generated/openapi-typescript/registry';

type Schemas = components['schemas'];

const baseUrl = process.argv[2] ?? '';
const project = 'openapi-typescript';
const registry = createClient<paths>({ baseUrl });
const web = { params: { path: { project, service: 'web' } } };
const ofProject = { params: { path: { project } } };

const range = await registry.POST('/v1/ranges', { body: { project } });
assert(range.data);
const first: number = range.data.startPort;

const created = await registry.PUT('/v1/projects/{project}/services/{service}', web);
assert.equal(created.response.status, 201);
assert(created.data);
const allocation: Schemas['Allocation'] = created.data;
assert.equal(allocation.port, first);
assert.equal(allocation.description, null);
const again = await registry.PUT('/v1/projects/{project}/services/{service}', { ...web, body: {} });
assert.equal(again.response.status, 200);
assert.equal(again.data?.port, first);
const text = await registry.GET('/v1/projects/{project}/services/{service}', {
  ...web,
  headers: { accept: 'text/plain' },
  parseAs: 'text',
});
const bare: string | undefined = text.data;
assert.equal(bare, String(first));

const further = await registry.POST('/v1/projects/{project}/allocations', {
  ...ofProject,
  body: { service: 'worker' },
});
assert(further.data && !('items' in further.data));
assert.equal(further.data.port, first + 1);

const services: Schemas['EnvironmentService'][] = [{ service: 'web' }, { service: 'api', serviceType: 'http' }];
const environment = await registry.PUT('/v1/projects/{project}/environments/{environment}', {
  params: { path: { project, environment: 'feature-x' } },
  body: { services },
});
assert.deepEqual(
  environment.data?.items.map(({ port }) => port),
  [first + 2, first + 3],
);

const query = { project, status: 'allocated', limit: 3 } as const;
const page = await registry.GET('/v1/allocations', { params: { query } });
const cursor: string | null | undefined = page.data?.nextCursor;
assert(cursor);
const rest = await registry.GET('/v1/allocations', { params: { query: { ...query, cursor } } });
assert.deepEqual([page.data?.items.length, rest.data?.items.length, rest.data?.nextCursor], [3, 1, null]);

const reservation = await registry.POST('/v1/projects/{project}/reservations', {
  ...ofProject,
  body: { ttlSeconds: 60 },
});
assert(reservation.data);
const claimed = await registry.POST('/v1/reservations/{id}/claim', {
  params: { path: { id: reservation.data.id } },
  body: { service: 'search' },
});
assert.equal(claimed.data?.port, reservation.data.port);

const both = await registry.POST('/v1/projects/{project}/allocations', {
  ...ofProject,
  body: { service: 'quic', protocol: 'both', prefer: first + 60 },
});
assert(both.data && 'items' in both.data);
const pair: Schemas['AllocatedPair'] = both.data;
assert.deepEqual(
  pair.items.map(({ port, protocol }) => [port, protocol]),
  [
    [first + 60, 'tcp'],
    [first + 60, 'udp'],
  ],
);

const imported = await registry.POST('/v1/imports', { body: { items: [{ port: first + 50, service: 'grafana' }] } });
assert.equal(imported.data?.items[0]?.outcome, 'adopted');

const audit = await registry.POST('/v1/audits', { body: {} });
const conflict: Schemas['AuditConflict'] | undefined = audit.data?.conflicts.find(({ port }) => port === first);
assert.equal(conflict?.kind, 'not-running');

const released = await registry.DELETE('/v1/allocations/{id}', { params: { path: { id: allocation.id } } });
assert.equal(released.data?.status, 'released');

const gone = await registry.GET('/v1/projects/{project}/services/{service}', web);
const problem: Schemas['Problem'] | undefined = gone.error;
assert.equal(problem?.code, 'allocation-not-found');
assert.match(problem.detail, /web/);

// A program that does not match the contract must not compile.
// @ts-expect-error a project is no status
await registry.GET('/v1/allocations', { params: { query: { status: 'consilio' } } });
// @ts-expect-error an environment has to be named
await registry.GET('/v1/projects/{project}/environments/{environment}', ofProject).catch(() => {});
