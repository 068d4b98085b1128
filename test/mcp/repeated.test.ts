// A client that got no answer sends a call again. What may be executed twice is, and of the rest it is told.
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { makeApp } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { listenMcp } from '../helpers/mcp.js';

const database = await openPostgres(t);
const url = await listenMcp(await makeApp(t, database));
const REPEATED = { repeated: 'true' };

/** Calls a tool. Not with `fetch`, which refuses some values of headers itself. */
async function call(name: string, input: object, headers: Record<string, string> = {}) {
  const sent = request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
  });
  sent.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } }));
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const content = await text(answer);
  const message = JSON.parse(/^data: (.*)$/m.exec(content)?.[1] ?? content);
  return { status: answer.statusCode, problem: message, result: message.result };
}

const held = async (project: string) =>
  (await call('list-ports', { project })).result.structuredContent.items.map((item: { port: number }) => item.port);

const UNKNOWN = /^database-unavailable: .* is not known\.\nNext: .*list-ports/s;

t.test('with an idempotency key, a repeated allocation gets the port of the first', async (t) => {
  const key = { 'idempotency-key': 'one' };
  const input = { project: 'odin', service: 'api' };
  t.equal((await call('allocate-port', input, key)).result.structuredContent.port, 3300);
  t.equal((await call('allocate-port', input, { ...key, ...REPEATED })).result.structuredContent.port, 3300);
  t.equal(
    (await call('allocate-port', input, { 'idempotency-key': 'two', ...REPEATED })).result.structuredContent.port,
    3301,
  );
  const other = await call('allocate-port', { ...input, service: 'web' }, key);
  t.match(other.result.content[0].text, /^idempotency-key-reused/);
  t.same(await held('odin'), [3300, 3301]);
});

t.test('the same goes for one number for two protocols', async (t) => {
  const key = { 'idempotency-key': 'both' };
  const input = { project: 'odin', service: 'quic', protocol: 'both' };
  const first = (await call('allocate-port', input, key)).result.structuredContent;
  t.same((await call('allocate-port', input, { ...key, ...REPEATED })).result.structuredContent, first);
  t.equal(first.port, 3302);
  t.match(first, { id: String, udp: { id: String } });
  t.not(first.udp.id, first.id);
  t.same(await held('odin'), [3300, 3301, 3302, 3302]);
});

t.test('without one it is not repeated, and the agent is told what to do', async (t) => {
  const refused = await call('allocate-port', { project: 'consilio', service: 'api' }, REPEATED);
  t.match(refused.result, { isError: true, content: [{ text: UNKNOWN }] });
  t.same(await held('consilio'), []);
});

t.test('a release is repeated by id, and not by the name of the service', async (t) => {
  const { id } = (await call('get-port', { project: 'openhorizon', service: 'api' }, REPEATED)).result
    .structuredContent;
  const byName = await call('release-port', { project: 'openhorizon', service: 'api' }, REPEATED);
  t.match(byName.result, { isError: true, content: [{ text: UNKNOWN }] });
  t.equal((await held('openhorizon')).length, 1);
  t.notOk((await call('release-port', { id }, REPEATED)).result.isError);
  t.same(await held('openhorizon'), []);
});

t.test('headers that make no sense are refused before anything is done', async (t) => {
  for (const [header, value] of [
    ['idempotency-key', 'two words'],
    ['idempotency-key', 'x'.repeat(256)],
    ['repeated', 'yes'],
  ] as const) {
    const refused = await call('allocate-port', { project: 'consilio', service: 'api' }, { [header]: value });
    const errors = [{ pointer: `/headers/${header}` }];
    t.match(refused, { status: 400, problem: { code: 'validation-failed', errors } }, header);
  }
  t.same(await held('consilio'), []);
});
