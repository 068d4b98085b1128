import { Writable } from 'node:stream';
import { pino } from 'pino';
import t from 'tap';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config.js';
import { Metrics } from '../../src/metrics.js';
import { createService } from '../../src/service.js';
import { requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN, ADMIN_KEY, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';

// biome-ignore lint/suspicious/noExplicitAny: a line of the log is read field by field
type Line = any;

const database = await openPostgres(t);
let written = '';
const destination = new Writable({
  write(chunk, _encoding, done) {
    written += chunk;
    done();
  },
});
const log = pino({ level: 'trace' }, destination);
const app = await buildApp(createService({ database, config: loadConfig(WITH_KEYS), log }), new Metrics());
t.teardown(() => app.close());
const request = requester(app);
const { id: keyId, key } = await makeKey(request, 'project', 'odin');
const deploy = bearer(key);

/** The lines that a call logged at level `info` or above. */
async function linesOf(call: () => Promise<unknown>): Promise<Line[]> {
  written = '';
  await call();
  const lines = written.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line)).filter(({ level }) => level >= 30);
}

t.test('a change is one line: who did what to which object, and the outcome', async (t) => {
  const name = 'project odin';
  const path = '/v1/projects/odin/allocations';
  let made: { id: string; port: number } = { id: '', port: 0 };
  const lines = await linesOf(async () => {
    made = (await request('POST', path, { service: 'web', metadata: { secret: 's3cret' } }, deploy)).body;
  });
  const object = { id: made.id, project: 'odin', service: 'web', environment: 'default', port: made.port };
  t.match(lines, [
    { key: name, keyId, operation: 'allocatePort', object, outcome: 'done', status: 201, msg: 'Answered' },
  ]);

  const released = await linesOf(() => request('DELETE', `/v1/allocations/${made.id}`, undefined, deploy));
  t.match(released, [{ key: name, operation: 'releaseAllocation', object, outcome: 'done' }]);
  const refused = await linesOf(() => request('PUT', '/v1/projects/consilio/services/x', undefined, deploy));
  t.match(refused, [
    { key: name, operation: 'getOrAllocatePort', object: { project: 'consilio' }, outcome: 'forbidden' },
  ]);
  const environment = { services: [{ service: 'a' }, { service: 'b' }] };
  const stack = await linesOf(() => request('PUT', '/v1/projects/odin/environments/x', environment, deploy));
  t.match(stack, [{ operation: 'allocateEnvironment', object: { project: 'odin', environment: 'x', items: 2 } }]);
  const stranger = await linesOf(() => request('POST', path, {}, bearer('wrong')));
  t.match(stranger, [{ key: null, keyId: null, operation: 'allocatePort', outcome: 'unauthorized' }]);
  const made2 = await linesOf(() => makeKey(request, 'reader'));
  t.match(made2, [{ key: 'ADMIN_API_KEY', operation: 'createApiKey', object: { name: 'reader', role: 'reader' } }]);
});

t.test('a tool call is one line too', async (t) => {
  const call = (tool: string, input: object) => () => {
    const params = { name: tool, arguments: input };
    const headers = { ...deploy, accept: 'application/json, text/event-stream', 'x-request-id': 'trace-1' };
    return request('POST', '/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/call', params }, headers);
  };
  const web = { project: 'odin', service: 'agent' };
  t.match(await linesOf(call('get-port', web)), [
    { reqId: 'trace-1', key: 'project odin', keyId, operation: 'get-port', object: web, outcome: 'done' },
  ]);
  t.match(await linesOf(call('get-port', { ...web, project: 'consilio' })), [
    { operation: 'get-port', object: { project: 'consilio' }, outcome: 'forbidden' },
  ]);
  t.same(await linesOf(call('list-ports', {})), [], 'one that looks is none');
});

t.test('a request that only reads is not logged', async (t) => {
  t.same(await linesOf(() => request('GET', '/v1/allocations', undefined, deploy)), []);
  t.same(await linesOf(() => request('PUT', '/v1/projects/odin/services/agent', undefined, deploy)), []);
});

t.test('no key, header, query or body is in the log or in a problem document', async (t) => {
  const secrets = [key, key.slice(-43), ADMIN_KEY, 'querys3cret', 'headers3cret', 'bodys3cret', 'wrong-k3y'];
  const cookie = { cookie: 'session=headers3cret', 'x-api-key': 'headers3cret' };
  written = '';
  const answers = [
    await request('GET', '/v1/allocations?token=querys3cret', undefined, { ...deploy, ...cookie }),
    await request('GET', `/v1/allocations/${key}`, undefined, ADMIN),
    await request('GET', `/v1/nowhere/${key}?key=${key}`, undefined, ADMIN),
    await request('DELETE', `/v1/api-keys/${ADMIN_KEY}`, undefined, ADMIN),
    await request('POST', '/v1/projects/odin/allocations', { password: 'bodys3cret' }, { ...deploy, ...cookie }),
    await request('POST', '/v1/projects/odin/allocations', { service: key }, deploy),
    await request('PUT', '/v1/projects/odin/services/x', { metadata: { a: 'bodys3cret' } }, { ...deploy, ...cookie }),
    await request('GET', '/v1/ranges', undefined, bearer('wrong-k3y')),
    await request('POST', '/v1/api-keys', { name: 'n', role: 'bodys3cret' }, ADMIN),
  ];
  await makeKey(request, 'reader');
  const refusals = answers.filter(({ status }) => status >= 400);
  t.equal(refusals.length, 8);
  t.match(written, /"status":401/);
  for (const secret of secrets) {
    t.notOk(written.includes(secret), 'in the log');
    for (const { text } of refusals) t.notOk(text.includes(secret), text);
  }
  t.notMatch(written, /pa_[0-9a-f]{32}_/);
});
