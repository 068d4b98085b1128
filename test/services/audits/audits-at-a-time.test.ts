import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { makeApp, requester } from '../../helpers/app.js';
import { openPostgres } from '../../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../../helpers/keys.js';
import { openBlackHole } from '../../helpers/listeners.js';
import { assertProblem } from '../../helpers/problems.js';

const HOST = '127.0.0.42';

t.test('each key runs one audit at a time, over REST and MCP, and keeps nobody else from theirs', async (t) => {
  const variables = { ...WITH_KEYS, PROBE_TARGETS: `web=${HOST}`, PROBE_TIMEOUT_MS: '1000' };
  const request = requester(await makeApp(t, await openPostgres(t), variables));
  const { port } = (await request('PUT', '/v1/projects/odin/services/slow?host=web', {}, ADMIN)).body;
  await openBlackHole(t, HOST, port);
  const [one, other] = await Promise.all([makeKey(request, 'project', 'odin'), makeKey(request, 'project', 'odin')]);
  const audit = (key: string) => request('POST', '/v1/audits', { project: 'odin' }, bearer(key));
  const overMcp = (key: string) => {
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'audit-ports', arguments: {} } };
    const accept = { accept: 'application/json, text/event-stream' };
    return request('POST', '/mcp', call, { ...bearer(key), ...accept });
  };

  const first = audit(one.key);
  await sleep(200);
  const second = await audit(one.key);
  assertProblem(t, second, 'too-many-requests');
  t.equal(second.headers['retry-after'], '5');
  t.equal(
    second.body.detail,
    'An audit of this key is running already, and each key may run one at a time. Try again when it has ended.',
  );
  t.match((await overMcp(one.key)).text, /too-many-requests: An audit of this key .* call the tool again after 5 s\./);
  t.equal((await audit(other.key)).status, 200, 'another key of the same project');
  t.equal((await first).status, 200);
  t.equal((await audit(one.key)).status, 200, 'and again, once the first has ended');
});
