// The app on the socket of a data folder, besides TCP and by itself: what is there alone, and that the limits count.
import { once } from 'node:events';
import { Agent, request as sendRequest } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { readHolder } from '../../src/embedded/holder.js';
import { closeServer } from '../../src/process/close-server.js';
import { LocalSocket } from '../../src/process/local-socket.js';
import { makeApp } from '../helpers/app.js';
import { makeDataDir, openPostgres } from '../helpers/database.js';
import { ADMIN, WITH_KEYS } from '../helpers/keys.js';
import { askSocket } from '../helpers/local.js';
import { callerOf } from '../helpers/service.js';

const database = await openPostgres(t);
const ABOUT = { pid: process.pid, url: null, version: '1', startedAt: '2026-01-01T00:00:00.000Z' };

/** Serves an app on a socket, and in the foreground on TCP too. */
async function listen(
  t: Test,
  variables: Record<string, string> = {},
  mode: 'foreground' | 'background' = 'foreground',
) {
  const dataDir = await makeDataDir(t);
  const local = new LocalSocket(dataDir, { ...ABOUT, mode, dataDir });
  let ends = 0;
  const app = await makeApp(t, database, variables, { local, end: () => (ends += 1) });
  local.attach(app);
  const url = mode === 'foreground' ? await app.listen({ host: '127.0.0.1', port: 0 }) : null;
  await (url === null ? local.listenAlone(app) : local.listenBeside(app, url));
  const path = (await readHolder(dataDir))?.path as string;
  const overSocket = (method: string, url: string, body?: object, headers?: Record<string, string>) =>
    askSocket(path, method, url, body, headers);
  return { app, dataDir, path, url, overSocket, overTcp: callerOf(url ?? ''), ends: () => ends };
}

/** Sends bytes on a connection to a socket, and returns the status of the answer. */
async function statusOf(t: Test, path: string, bytes: string): Promise<number> {
  const socket = connect(path);
  t.teardown(() => socket.destroy());
  socket.write(bytes);
  const [data] = await once(socket, 'data');
  return Number(/^HTTP\/1\.1 (\d+) /.exec(String(data))?.[1]);
}

for (const mode of ['foreground', 'background'] as const) {
  t.test(`in the ${mode}, the socket tells of the process and ends it`, async (t) => {
    const { dataDir, path, url, overSocket, ends } = await listen(t, {}, mode);
    t.same(await readHolder(dataDir), { pid: process.pid, mode, url, path });
    const about = { ...ABOUT, mode, url, dataDir };
    t.match(await overSocket('GET', '/process'), { status: 200, body: about });
    t.equal(ends(), 0);
    t.match(await overSocket('DELETE', '/process'), { status: 202, body: about });
    t.equal(ends(), 1);
    t.match(await overSocket('PUT', '/v1/projects/odin/services/api'), { body: { port: 3300 } }, 'and serves the app');
    t.equal((await overSocket('GET', '/mcp')).status, 405);
  });
}

t.test('over TCP there is no sign of it', async (t) => {
  const { overTcp, overSocket, ends } = await listen(t);
  const withoutNames = ({ status, body, headers: sent }: Awaited<ReturnType<typeof overTcp>>) => {
    const headers = new Headers(sent);
    for (const name of ['x-request-id', 'date']) headers.delete(name);
    const { instance: _, requestId: __, ...others } = body;
    return { status, others, headers: [...headers] };
  };
  for (const method of ['GET', 'DELETE', 'POST', 'PUT', 'OPTIONS']) {
    const about = (path: string) => overTcp(method, path).then(withoutNames);
    t.same(await about('/process'), await about('/nothing'), method);
  }
  t.same(withoutNames(await overTcp('GET', '/proces')), withoutNames(await overTcp('GET', '/nothin')), 'no suggestion');
  t.notMatch(JSON.stringify((await overTcp('GET', '/openapi.json')).body), /"\/process/);
  t.match(await overSocket('POST', '/process'), { status: 404, body: { code: 'not-found' } });
  t.equal(ends(), 0);
});

t.test('with keys in force the socket needs one as everybody else, but for the process itself', async (t) => {
  const { overSocket, overTcp } = await listen(t, WITH_KEYS);
  t.equal((await overSocket('GET', '/v1/ranges')).status, 401);
  t.equal((await overSocket('GET', '/v1/ranges', undefined, ADMIN)).status, 200);
  t.equal((await overSocket('GET', '/process')).status, 200);
  t.equal((await overTcp('GET', '/process')).status, 401);
});

t.test('the limits count on the socket', async (t) => {
  const variables = { RATE_LIMIT_PER_MINUTE: '3', TRUST_PROXY: '127.0.0.1,10.0.0.0/8', REQUEST_TIMEOUT_MS: '1000' };
  const { path, overSocket, overTcp } = await listen(t, { ...variables, ALLOW_UNAUTHENTICATED: 'true' });
  t.equal(await statusOf(t, path, 'GET nonsense\r\n\r\n'), 400, 'what is no HTTP');
  t.equal(await statusOf(t, path, 'GET /% HTTP/1.1\r\nHost: localhost\r\n\r\n'), 400, 'a malformed URL');
  t.equal(await statusOf(t, path, 'GET /livez HTTP/1.1\r\nHost: localhost\r\n'), 400, 'a request that does not come');
  const forwarded = { 'x-forwarded-for': '10.1.1.1' };
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await overSocket('GET', '/v1/ranges', undefined, forwarded)).status);
  t.equal(statuses.at(-1), 429);
  t.ok(statuses.every((status) => status === 200 || status === 429));
  t.equal((await overTcp('GET', '/v1/ranges')).status, 200, 'and TCP has its own');
});

for (const mode of ['foreground', 'background'] as const) {
  t.test(`in the ${mode}, closing answers what is under way and waits for no idle connection`, async (t) => {
    const { app, path, overSocket } = await listen(t, {}, mode);
    const agent = new Agent({ keepAlive: true });
    t.teardown(() => agent.destroy());
    const idle = sendRequest({ socketPath: path, path: '/livez', headers: { host: 'localhost' }, agent }).end();
    const [first] = await once(idle, 'response');
    first.resume();
    await once(first, 'end');

    const body = JSON.stringify({ service: 'slow' });
    const slow = sendRequest({
      socketPath: path,
      path: '/v1/projects/odin/allocations',
      method: 'POST',
      agent: false,
      headers: { host: 'localhost', 'content-type': 'application/json', 'content-length': body.length },
    });
    slow.write(body.slice(0, 5));
    await overSocket('GET', '/livez'); // the slow one has arrived by then
    const began = performance.now();
    const closed = closeServer(app, 8000);
    await sleep(300);
    const refused = await overSocket('GET', '/livez').catch((error) => error.syscall);
    t.equal(refused, 'connect', 'nothing new is taken');
    slow.end(body.slice(5));
    const [answer] = await once(slow, 'response');
    t.equal(answer.statusCode, 201);
    answer.resume();
    await closed;
    t.ok(performance.now() - began < 4000, `closed after ${Math.round(performance.now() - began)} ms`);
  });
}
