import { randomUUID } from 'node:crypto';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { CLOUDFLARE, startCloudflare } from '../helpers/cloudflare/api.js';
import { openPostgres } from '../helpers/database.js';
import { insertWebhook } from '../helpers/filled-project.js';
import { ADMIN, bearer, WITH_KEYS } from '../helpers/keys.js';
import { insertReservation } from '../helpers/rows.js';

t.test('answers are as the contract describes them', async (t) => {
  const { db } = await openPostgres(t);
  const { url: cloudflareUrl } = await startCloudflare(t);
  const app = await makeApp(t, { db }, CLOUDFLARE, null, { cloudflareUrl });
  const send = requester(app);
  const withKeys = requester(await makeApp(t, { db }, WITH_KEYS));
  const contract = (await send('GET', '/openapi.json')).body;
  const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true }));
  ajv.addSchema(contract, 'contract');
  const answered = new Set<string>();

  /** Sends a request, and checks the answer against the operation's schema for its status. */
  const request: typeof send = async (method, url, body, headers = {}) => {
    const answer = await ('authorization' in headers ? withKeys : send)(method, url, body, headers);
    const [path = ''] = url.split('?');
    const template =
      Object.keys(contract.paths).find((known) => known === path) ??
      Object.keys(contract.paths).find((known) =>
        new RegExp(`^${known.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
      ) ??
      '';
    const operation = contract.paths[template][method.toLowerCase()];
    const response = operation.responses[answer.status];
    t.ok(response, `${operation.operationId} declares ${answer.status}`);
    const [type = ''] = String(answer.headers['content-type'] ?? '').split(';');
    if (answer.status !== 204) {
      const media = response?.content[type] ?? response?.content['application/json']?.['x-alternatives']?.[type];
      t.ok(media, `${operation.operationId} ${answer.status} declares ${type}`);
      const validate = ajv.compile({ ...media?.schema, $ref: media?.schema.$ref && `contract${media.schema.$ref}` });
      if (type !== 'text/plain' && type !== 'application/yaml') {
        t.ok(validate(answer.body), `${operation.operationId} ${answer.status}: ${ajv.errorsText(validate.errors)}`);
      }
    }
    for (const name of Object.keys(response?.headers ?? {})) {
      const optional = name === 'Link' || name === 'X-Duplicate-Hostnames';
      if (!optional)
        t.ok(answer.headers[name.toLowerCase()], `${operation.operationId} ${answer.status} sends ${name}`);
    }
    answered.add(`${operation.operationId} ${answer.status}`);
    return answer;
  };

  t.test('every operation, successful and refused, and none is left out', async (t) => {
    const service = '/v1/projects/consilio/services/api';
    const details = {
      serviceType: 'http',
      description: 'x',
      cloudflareHostname: 'a.example.com',
      metadata: { a: [1] },
    };
    await request('PUT', service, details);
    await request('PUT', service);
    await request('PUT', service, { nope: 1 });
    await request('PUT', service, 'x', { 'content-type': 'text/plain' });
    await request('PUT', service, 'x'.repeat(1_100_000), { 'content-type': 'application/json' });
    await request('PUT', service, undefined, { accept: 'text/plain' });
    await request('PUT', service, undefined, { accept: 'text/html' });
    await request('PUT', service, undefined, { host: 'example.com' });
    await request('PUT', '/v1/projects/nobody/services/api');
    await request('GET', service);
    await request('GET', service, undefined, { accept: 'text/plain' });
    await request('GET', '/v1/projects/consilio/services/none');

    const allocate = '/v1/projects/consilio/allocations';
    const { id } = (await request('POST', allocate, { service: 'w', ...details })).body;
    await request('POST', allocate, { service: 'w', port: 3100 });
    await request('POST', allocate, { service: 'w', port: 80 });
    await request('POST', allocate, {});
    await insertReservation(db, { port: 3150, project: 'consilio', seconds: 60 });
    await request('POST', allocate, { service: 'w', port: 3150 });
    await request('PATCH', '/v1/ranges/3100', { reuseCooldownSeconds: 60, description: 'x' });
    await request('GET', '/v1/allocations?limit=1');
    await request('GET', '/v1/allocations?status=any');
    await request('GET', '/v1/allocations?limit=0');
    await request('GET', `/v1/allocations/${id}`);
    await request('PATCH', `/v1/allocations/${id}`, { description: null });
    await request('DELETE', `/v1/allocations/${id}`);
    await request('PATCH', `/v1/allocations/${id}`, { description: null });
    await request('POST', allocate, { service: 'other', port: 3101 });
    await request('GET', '/v1/allocations/x');
    await request('GET', '/v1/allocations/0b4e1d1e-6d3c-4a8f-9d55-0f7f6a3f2c11');
    await request('DELETE', service);
    await request('DELETE', '/v1/projects/nobody/services/api');

    for (const port of ['80', '3100', '3101', '3150', '3199', '70000']) await request('GET', `/v1/ports/${port}`);
    await request('PUT', '/v1/projects/odin/services/api');
    await request('GET', '/v1/ports/3300');
    await Promise.all(
      Array.from({ length: 100 }, () => send('POST', '/v1/projects/odin/allocations', { service: 'fill' })),
    );
    await request('PUT', '/v1/projects/odin/services/more');

    await request('GET', '/v1/ranges');
    await request('POST', '/v1/ranges', { project: 'atlas' });
    await request('POST', '/v1/ranges', { project: 'atlas', startPort: 40000, kind: 'shared' });
    await request('POST', '/v1/ranges', { project: 'atlas', startPort: 40000 });
    await request('GET', '/v1/ranges/40000');
    await request('GET', '/v1/ranges/1');
    await request('DELETE', '/v1/ranges/40000');
    await request('DELETE', '/v1/ranges/3300');
    const excluded = '/v1/excluded-ports/3780';
    for (const method of ['PUT', 'PUT', 'GET', 'DELETE', 'DELETE', 'GET'] as const) {
      await request(method, excluded, method === 'PUT' ? { reason: 'x' } : undefined);
    }
    await request('PUT', '/v1/excluded-ports/80', { reason: 'x' });
    await request('GET', '/v1/excluded-ports?limit=1');
    await request('GET', '/v1/projects');
    await request('GET', '/v1/projects/consilio/summary');
    await request('GET', '/v1/projects/nobody/summary');
    await request('PUT', '/v1/projects/hermes');
    await request('PUT', '/v1/projects/hermes');
    await request('GET', '/livez');
    await request('GET', '/readyz');

    const environment = '/v1/projects/openhorizon/environments/feature-x';
    await request('PUT', environment, { services: [{ service: 'web', ...details }, { service: 'api' }] });
    await request('PUT', environment, { services: [{ service: 'web' }] });
    await request('PUT', environment, { services: [{ service: 'web' }] }, { accept: 'text/plain' });
    await request('PUT', environment, { services: [{ service: 'a.b' }, { service: 'a-b' }] }, { accept: 'text/plain' });
    await request('PUT', environment, {});
    await request('GET', environment);
    await request('GET', '/v1/projects/openhorizon/environments');
    await request('PUT', environment, { services: [{ service: 'web' }], path: '/srv/a' });
    await request('PUT', environment, { services: [{ service: 'web' }], path: '/srv/b' });
    await request('GET', '/v1/environments');
    await request('DELETE', environment);

    const audited = (await send('PUT', '/v1/projects/health-agent/services/api')).body.id;
    await request('POST', `/v1/allocations/${audited}/health-checks`);
    await request('GET', `/v1/allocations/${audited}/health-checks`);
    await request('GET', `/v1/allocations/${id}/health-checks`);
    await request('POST', `/v1/allocations/${id}/health-checks`);
    await request('POST', '/v1/audits', { project: 'health-agent', unallocated: true });
    await request('POST', '/v1/audits', { project: 'nobody' });
    const { id: audit } = (await request('GET', '/v1/audits?covering=true&project=health-agent&limit=1')).body.items[0];
    await request('GET', `/v1/audits/${audit}`);
    await request('GET', `/v1/audits/${randomUUID()}`);
    await request('POST', '/v1/audits', { host: '169.254.169.254' });

    const reserve = '/v1/projects/openhorizon/reservations';
    const reservation = (await request('POST', reserve, { ttlSeconds: 60, reservedBy: 'x', reason: 'y' })).body.id;
    await request('POST', reserve, { ttlSeconds: 0 });
    await request('POST', reserve, { ttlSeconds: 60, port: 3200 });
    await request('GET', '/v1/reservations');
    await request('GET', '/v1/reservations?limit=x');
    await request('GET', `/v1/reservations/${reservation}`);
    await request('GET', '/v1/reservations/0b4e1d1e-6d3c-4a8f-9d55-0f7f6a3f2c11');
    await request('PATCH', `/v1/reservations/${reservation}`, { ttlSeconds: 120 });
    await request('POST', `/v1/reservations/${reservation}/claim`, {});
    await request('POST', `/v1/reservations/${reservation}/claim`, { service: 'api' });
    await request('POST', `/v1/reservations/${reservation}/claim`, { service: 'api' });
    await request('PATCH', `/v1/reservations/${reservation}`, { ttlSeconds: 120 });
    await request('DELETE', `/v1/reservations/${reservation}`);

    await request('POST', '/v1/imports?dryRun=true', { items: [{ port: 3250, service: 'x' }, { port: 80 }] });
    await request('POST', '/v1/imports', { items: [] });

    await request('PUT', '/v1/projects/meta-supervisor/services/web', details);
    for (const format of ['prometheus', 'traefik', 'consul', 'dotenv']) {
      await request('GET', `/v1/exports/${format}?project=meta-supervisor`);
    }
    await request('GET', '/v1/exports/cloudflared');
    await request('GET', '/v1/exports/xml');
    await request('GET', '/v1/exports/dotenv?project=nobody');

    const newKey = { name: 'deploy', role: 'project', projects: ['consilio'] };
    const { body: created } = await request('POST', '/v1/api-keys', newKey, ADMIN);
    await request('POST', '/v1/api-keys', newKey, { ...ADMIN, 'idempotency-key': 'k' });
    await request('POST', '/v1/api-keys', newKey, { ...ADMIN, 'idempotency-key': 'k' });
    await request('POST', '/v1/api-keys', { ...newKey, projects: [] }, ADMIN);
    await request('POST', '/v1/api-keys', newKey, bearer(created.key));
    await request('POST', '/v1/api-keys', newKey, bearer('wrong'));
    await request('POST', '/v1/api-keys', newKey);
    await request('GET', '/v1/api-keys?limit=1', undefined, ADMIN);
    await request('GET', '/v1/caller', undefined, bearer(created.key));
    await request('GET', '/v1/caller', undefined, ADMIN);
    await request('GET', '/v1/caller');
    await request('DELETE', `/v1/api-keys/${created.id}`, undefined, ADMIN);
    await request('DELETE', `/v1/api-keys/${created.id}`, undefined, ADMIN);

    const key = { 'idempotency-key': 'k' };
    await request('POST', allocate, { service: 'w' }, key);
    await request('POST', allocate, { service: 'w' }, key);
    await request('POST', allocate, { service: 'x' }, key);

    await request('GET', '/v1/ports/3100/history');
    await request('GET', '/v1/allocations?at=2026-01-31T12:00:00Z');
    await request('GET', '/v1/allocations?status=cooling');
    await request('GET', '/v1/listeners');
    await request('GET', '/v1/events?limit=1000');
    await request('GET', '/v1/events?type=port.created');
    await request('GET', '/v1/events?cursor=99999999');
    await request('GET', '/v1/cloudflare');
    await request('GET', '/v1/cloudflare/plan');
    await request('POST', '/v1/cloudflare/apply');
    const target = { url: 'http://localhost:1/', projects: ['consilio'], types: ['service.down'] };
    const webhook = `/v1/webhooks/${(await request('POST', '/v1/webhooks', target)).body.id}`;
    await request('POST', '/v1/webhooks', { url: 'http://169.254.169.254/' });
    await request('GET', '/v1/webhooks');
    await request('GET', webhook);
    await request('PATCH', webhook, { description: 'x' });
    const sent = `/v1/webhooks/${await insertWebhook(db, 'consilio', 'x')}/deliveries`;
    const { items } = (await request('GET', sent)).body;
    await request('POST', `${sent}/${items[0].id}/repeat`);
    await request('DELETE', webhook);
    await request('GET', webhook);

    for (const methods of Object.values<Record<string, { operationId: string; responses: object }>>(contract.paths)) {
      for (const { operationId, responses } of Object.values(methods)) {
        for (const status of Object.keys(responses).filter((status) => status < '300')) {
          t.ok(answered.has(`${operationId} ${status}`), `${operationId} ${status}`);
        }
      }
    }
  });

  t.test('the contract is served as JSON, as YAML and as pages to read', async (t) => {
    t.match((await send('GET', '/openapi.yaml', undefined, { accept: 'application/yaml' })).text, /^openapi: 3\.1\.0/);
    for (const [path, same] of [
      ['/openapi.json', '/docs/json'],
      ['/openapi.yaml', '/docs/yaml'],
    ] as const) {
      const { text, headers } = await send('GET', path);
      t.match(headers.etag, /^"/, 'a strong ETag');
      t.equal(headers['cache-control'], 'no-cache');
      const other = await send('GET', same);
      t.equal(other.text, text);
      t.equal(other.headers.etag, headers.etag);
      for (const known of [path, same]) {
        const unchanged = await send('GET', known, undefined, { 'if-none-match': String(headers.etag) });
        t.strictSame([unchanged.status, unchanged.text], [304, ''], known);
        t.equal((await send('GET', known, undefined, { 'if-none-match': '"other"' })).status, 200);
      }
    }
    const docs = await send('GET', '/docs/', undefined, { accept: 'text/html' });
    t.equal(docs.status, 200);
    t.match(docs.text, /swagger-ui/);
  });
});
