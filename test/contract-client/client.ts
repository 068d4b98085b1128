// Does the main job through a typed client that was generated from the contract: gets a port, looks it up, lists and
// releases. The first argument is the URL of a running service.
import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { components, paths } from './generated/contract.js';

type Allocation = components['schemas']['Allocation'];
type ProblemCode = components['schemas']['Problem']['code'];

const baseUrl = process.argv[2];
assert(baseUrl, 'usage: node client.js URL');
const client = createClient<paths, 'application/json' | 'application/problem+json'>({ baseUrl });
const api = { params: { path: { project: 'consilio', service: 'api' } } };

const created = await client.PUT('/v1/projects/{project}/services/{service}', {
  ...api,
  body: { serviceType: 'http', metadata: { team: 'core' } },
});
assert.equal(created.response.status, 201);
assert(created.data);
const allocation: Allocation = created.data;
const port: number = allocation.port;
assert.equal(port, 3100);
assert.deepEqual(allocation.metadata, { team: 'core' });

const again = await client.PUT('/v1/projects/{project}/services/{service}', api);
assert.equal(again.response.status, 200);
assert.equal(again.data?.id, allocation.id);

const found = await client.GET('/v1/projects/{project}/services/{service}', api);
assert.deepEqual(found.data, allocation);

const plain = createClient<paths, 'text/plain'>({ baseUrl });
const text = await plain.GET('/v1/projects/{project}/services/{service}', {
  ...api,
  parseAs: 'text',
  headers: { accept: 'text/plain' },
});
const bare: string | undefined = text.data;
assert.equal(bare, '3100');

const further = await client.POST('/v1/projects/{project}/allocations', {
  params: { path: { project: 'consilio' }, header: { 'idempotency-key': 'client-1' } },
  body: { service: 'worker', environment: 'staging', protocol: 'tcp' },
});
assert.equal(further.response.headers.get('location'), `/v1/allocations/${further.data?.id}`);

const listed = await client.GET('/v1/allocations', { params: { query: { project: 'consilio', limit: 1 } } });
assert.deepEqual(
  listed.data?.items.map((item) => item.port),
  [3100],
);
const cursor: string | null | undefined = listed.data?.nextCursor;
assert(cursor);
const rest = await client.GET('/v1/allocations', { params: { query: { project: 'consilio', cursor } } });
assert.deepEqual(
  rest.data?.items.map((item) => [item.port, item.service, item.environment]),
  [[3101, 'worker', 'staging']],
);
assert.equal(rest.data?.nextCursor, null);

const summary = await client.GET('/v1/projects/{project}/summary', { params: { path: { project: 'consilio' } } });
const utilization: number | undefined = summary.data?.utilization;
assert.equal(utilization, 2);

const released = await client.DELETE('/v1/allocations/{id}', { params: { path: { id: allocation.id } } });
assert.equal(released.data?.status, 'released');

const gone = await client.GET('/v1/projects/{project}/services/{service}', api);
const code: ProblemCode | undefined = gone.error?.code;
assert.equal(code, 'allocation-not-found');

// A program that does not match the contract must not compile.
// @ts-expect-error a project is no status
const wrongFilter: paths['/v1/allocations']['get']['parameters']['query'] = { status: 'consilio' };
// @ts-expect-error a port is no string
const wrongBody: components['schemas']['NewAllocation'] = { service: 'a', port: '3100' };
assert(wrongFilter && wrongBody);
