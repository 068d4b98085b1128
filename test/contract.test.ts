import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import t from 'tap';
import { renderContract } from '../scripts/contract.js';
import { problems } from '../src/errors.js';
import { packageRoot } from '../src/package-root.js';

// biome-ignore lint/suspicious/noExplicitAny: the contract is read as any client's tools read it
type Json = any;

t.test('the contract', async (t) => {
  const rendered = await renderContract();
  const contract: Json = JSON.parse(rendered.json);
  const operations: [name: string, operation: Json][] = Object.entries(contract.paths).flatMap(([path, methods]) =>
    Object.entries(methods as Json).map(([method, operation]): [string, Json] => [`${method} ${path}`, operation]),
  );
  const schemas: [name: string, schema: Json][] = Object.entries(contract.components.schemas);
  const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true }));
  ajv.addSchema(contract, 'contract');
  const findErrors = (reference: string, value: unknown) => {
    const validate = ajv.getSchema(`contract${reference}`);
    return validate?.(value) ? null : (validate?.errors ?? 'no such schema');
  };

  t.test('is committed as it is generated from the routes', async (t) => {
    for (const kind of ['json', 'yaml'] as const) {
      const committed = await readFile(join(packageRoot, 'openapi', `openapi.${kind}`), 'utf8');
      t.ok(
        committed === rendered[kind],
        `openapi/openapi.${kind} is not what the routes declare: run \`npm run openapi\` and commit the result`,
      );
    }
  });

  t.test('is OpenAPI 3.1 and refers to nothing outside of it', async (t) => {
    t.equal(contract.openapi, '3.1.0');
    for (const [, reference = ''] of rendered.json.matchAll(/"\$ref": "([^"]+)"/g)) {
      t.ok(ajv.getSchema(`contract${reference}`), reference);
    }
  });

  t.test('names first the parameters that are required', async (t) => {
    for (const [name, { parameters = [] }] of operations) {
      const required: boolean[] = parameters.map((parameter: Json) => parameter.required ?? false);
      t.ok(!required.includes(true, required.indexOf(false) >>> 0), name);
    }
  });

  t.test('has every path of the service', async (t) => {
    t.strictSame(
      operations.map(([name]) => name).sort(),
      [
        'delete /v1/allocations/{id}',
        'delete /v1/api-keys/{id}',
        'delete /v1/excluded-ports/{port}',
        'delete /v1/projects/{project}/environments/{environment}',
        'delete /v1/projects/{project}/services/{service}',
        'delete /v1/ranges/{startPort}',
        'delete /v1/reservations/{id}',
        'delete /v1/webhooks/{id}',
        'get /livez',
        'get /readyz',
        'get /v1/allocations',
        'get /v1/allocations/{id}',
        'get /v1/allocations/{id}/health-checks',
        'get /v1/api-keys',
        'get /v1/audits',
        'get /v1/audits/{id}',
        'get /v1/caller',
        'get /v1/cloudflare',
        'get /v1/cloudflare/plan',
        'get /v1/environments',
        'get /v1/events',
        'get /v1/excluded-ports',
        'get /v1/excluded-ports/{port}',
        'get /v1/exports/{format}',
        'get /v1/listeners',
        'get /v1/ports/{port}',
        'get /v1/ports/{port}/history',
        'get /v1/projects',
        'get /v1/projects/{project}/environments',
        'get /v1/projects/{project}/environments/{environment}',
        'get /v1/projects/{project}/services/{service}',
        'get /v1/projects/{project}/summary',
        'get /v1/ranges',
        'get /v1/ranges/{startPort}',
        'get /v1/reservations',
        'get /v1/reservations/{id}',
        'get /v1/webhooks',
        'get /v1/webhooks/{id}',
        'get /v1/webhooks/{id}/deliveries',
        'patch /v1/allocations/{id}',
        'patch /v1/ranges/{startPort}',
        'patch /v1/reservations/{id}',
        'patch /v1/webhooks/{id}',
        'post /v1/allocations/{id}/health-checks',
        'post /v1/api-keys',
        'post /v1/audits',
        'post /v1/cloudflare/apply',
        'post /v1/imports',
        'post /v1/projects/{project}/allocations',
        'post /v1/projects/{project}/reservations',
        'post /v1/ranges',
        'post /v1/reservations/{id}/claim',
        'post /v1/webhooks',
        'post /v1/webhooks/{id}/deliveries/{deliveryId}/repeat',
        'put /v1/excluded-ports/{port}',
        'put /v1/projects/{project}',
        'put /v1/projects/{project}/environments/{environment}',
        'put /v1/projects/{project}/services/{service}',
      ].sort(),
    );
  });

  t.test('names and describes every operation', async (t) => {
    const tags = contract.tags.map((tag: Json) => tag.name);
    for (const [name, operation] of operations) {
      t.match(operation.operationId, /^[a-z]+([A-Z][a-z]+)+$/, `${name}: operationId in camelCase verb-noun form`);
      t.match(operation.summary, /^[A-Z].*[^.]$/, `${name}: summary`);
      t.match(operation.description, /\.$/, `${name}: description`);
      t.equal(operation.tags.length, 1, name);
      t.ok(tags.includes(operation.tags[0]), `${name}: tag ${operation.tags[0]} is described`);
      for (const parameter of operation.parameters ?? [])
        t.match(parameter.description, /./, `${name}: ${parameter.name}`);
    }
    t.equal(new Set(operations.map(([, operation]) => operation.operationId)).size, operations.length);
  });

  t.test('answers with a named component, and refuses with a problem', async (t) => {
    for (const [name, { responses, security }] of operations) {
      const forCallers = security.length > 0 ? ['401', '429'] : [];
      for (const status of ['400', '403', '406', '500', '503', ...forCallers])
        t.ok(responses[status], `${name}: ${status}`);
      for (const [status, response] of Object.entries<Json>(responses)) {
        t.ok(response.description, `${name} ${status}`);
        t.ok(response.headers['x-request-id'], `${name} ${status}`);
        if (status === '204' || status === '304') continue;
        if (status >= '400' && !(name === 'get /readyz' && status === '503')) {
          t.strictSame(
            response.content,
            { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
            `${name} ${status}`,
          );
        } else {
          t.match(
            response.content['application/json'].schema.$ref,
            /^#\/components\/schemas\/\w+$/,
            `${name} ${status}`,
          );
        }
      }
    }
  });

  t.test('describes request bodies by named components', async (t) => {
    for (const [name, { requestBody, responses }] of operations) {
      if (!requestBody) continue;
      t.match(requestBody.content['application/json'].schema.$ref, /^#\/components\/schemas\/\w+$/, name);
      for (const status of ['413', '415']) t.ok(responses[status], `${name}: ${status}`);
    }
  });

  t.test('has every code in the Problem component, and no other', async (t) => {
    t.strictSame(contract.components.schemas.Problem.properties.code.enum, Object.keys(problems));
  });

  t.test('gives every component a description and a valid example', async (t) => {
    for (const [name, schema] of schemas) {
      t.match(schema.description, /\.$/, name);
      t.ok(schema.examples?.length > 0, `${name} has an example`);
      for (const example of schema.examples ?? [])
        t.equal(findErrors(`#/components/schemas/${name}`, example), null, name);
    }
  });

  t.test('gives valid examples of single fields', async (t) => {
    const walk = (node: Json, path: string) => {
      if (typeof node !== 'object' || node === null) return;
      if (Array.isArray(node.examples) && node.type !== undefined && !path.endsWith('/properties')) {
        for (const example of node.examples) t.equal(findErrors(path, example), null, path);
      }
      for (const [key, child] of Object.entries(node)) {
        if (key !== 'examples') walk(child, `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
      }
    };
    walk(contract.components.schemas, '#/components/schemas');
  });

  t.test('allows no unknown fields in requests, and new fields in answers', async (t) => {
    const sent = new Set<string>();
    const collect = (node: Json) => {
      for (const [, reference = ''] of JSON.stringify(node).matchAll(/"\$ref":"([^"]+)"/g)) {
        sent.add(reference);
        collect(contract.components.schemas[reference.split('/').at(-1) ?? '']);
      }
    };
    for (const [, { requestBody }] of operations) if (requestBody) collect(requestBody);
    for (const [name, schema] of schemas) {
      const closed = sent.has(`#/components/schemas/${name}`);
      t.equal(schema.additionalProperties === false, closed, name);
    }
  });

  // SDK generators make a type for each of several media types, and a required field of one that has a default.
  t.test('declares one media type where headers choose it, and tells of the others', async (t) => {
    const alternatives: string[] = [];
    for (const [name, { operationId, requestBody, responses }] of operations) {
      if (operationId === 'exportAllocations') continue; // its path chooses the media type
      for (const [status, { content, description }] of [
        ['body', requestBody ?? {}],
        ...Object.entries<Json>(responses),
      ]) {
        if (!content) continue;
        const [[mediaType, media], ...others]: Json = Object.entries(content);
        t.strictSame(others, [], `${name} ${status}`);
        t.match(mediaType, /json$/, `${name} ${status}`);
        for (const alternative of Object.keys(media['x-alternatives'] ?? {})) {
          alternatives.push(`${operationId} ${status} ${alternative}`);
          t.match(description, `With \`Accept: ${alternative}\``, `${name} ${status}`);
        }
      }
    }
    t.strictSame(alternatives.sort(), [
      'allocateEnvironment 200 text/plain',
      'allocateEnvironment 201 text/plain',
      'auditPorts 200 text/event-stream',
      'getEnvironment 200 text/plain',
      'getOrAllocatePort 200 text/plain',
      'getOrAllocatePort 201 text/plain',
      'getServicePort 200 text/plain',
      'listEvents 200 text/event-stream',
    ]);
  });

  t.test('has defaults in query parameters alone, and tells those of bodies in words', async (t) => {
    const bare = JSON.parse(rendered.json);
    for (const parameter of Object.values<Json>(bare.paths)
      .flatMap(Object.values<Json>)
      .flatMap((o) => o.parameters ?? []))
      if (parameter.in === 'query' && !parameter.required) delete parameter.schema.default;
    t.notMatch(JSON.stringify(bare), /"default":/);
    const { NewAllocation, NewRange, AuditScope, Allocation } = contract.components.schemas;
    t.match(NewAllocation.properties.environment.description, / Left out: `default`\.$/);
    t.match(NewAllocation.properties.protocol.description, / Left out: `tcp`\.$/);
    t.match(NewRange.properties.kind.description, /^Left out: `project`\.$/);
    t.match(AuditScope.properties.unallocated.description, / Left out: `false`\.$/);
    t.notMatch(Allocation.properties.protocol.description, 'Left out');
  });
});
