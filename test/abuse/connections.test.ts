// Connections that are opened and left, refused and kept open, or too many: their descriptors come back, and callers
// from another address notice nothing.
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { CallersBeside, startSmallService } from '../helpers/beside.js';
import { ADMIN } from '../helpers/keys.js';
import type { Service } from '../helpers/service.js';

t.setTimeout(120_000);

const REQUEST_TIMEOUT_MS = 2000;
/** How many more descriptors there may be afterwards: connections of the callers beside, and to the database. */
const MARGIN = 15;
const MAX_FROM_ADDRESS = 1024;

const descriptorsOf = ({ child }: Service): number => readdirSync(`/proc/${child.pid}/fd`).length;

/** Opens connections that send these bytes, read what comes, and never end by themselves. */
async function openMany(t: Test, service: Service, count: number, bytes: string): Promise<Socket[]> {
  const { hostname, port } = new URL(await service.url);
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    socket.on('error', () => {}).resume();
    socket.write(bytes);
    return socket;
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  return sockets;
}

t.test('what is refused or late is closed, though its client keeps it open', async (t) => {
  const service = await startSmallService(t, { REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS) });
  const beside = await CallersBeside.start(service);
  await sleep(500);
  const before = descriptorsOf(service);
  const json = 'Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n';
  const starts = {
    'slow headers': 'GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ',
    'a slow body': `POST /v1/imports HTTP/1.1\r\nAuthorization: ${ADMIN.authorization}\r\n${json}{`,
    'a slow body of MCP': `POST /mcp HTTP/1.1\r\nAuthorization: ${ADMIN.authorization}\r\n${json}{`,
    'a slow body without a key': `POST /v1/imports HTTP/1.1\r\n${json}{`,
    CONNECT: 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n',
    'no request': 'hello\r\n\r\n',
    'headers that are too large': `GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(20_000)}`,
    nothing: '',
  };
  for (const bytes of Object.values(starts)) await openMany(t, service, 100, bytes);
  await sleep(500);
  const most = descriptorsOf(service);
  t.ok(most > before + 300, `${most} descriptors`);
  await sleep(REQUEST_TIMEOUT_MS + 4000);
  const after = descriptorsOf(service);
  t.ok(after <= before + MARGIN, `${before} before, ${after} after`);
  const figures = await beside.stop(t);
  t.comment(`${before} descriptors, then ${most}, then ${after}; beside ${JSON.stringify(figures)}`);
});

t.test('a flood of connections from one address', async (t) => {
  const service = await startSmallService(t);
  const beside = await CallersBeside.start(service);
  await sleep(500);
  const before = descriptorsOf(service);
  let most = 0;
  const began = performance.now();
  let flood: Socket[] = [];
  while (performance.now() - began < 4000) {
    flood = flood.filter(({ readableEnded, destroyed }) => !readableEnded && !destroyed);
    flood.push(...(await openMany(t, service, 1400 - flood.length, 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n')));
    await sleep(100);
    most = Math.max(most, descriptorsOf(service));
  }
  const figures = await beside.stop(t);
  t.ok(most <= before + MAX_FROM_ADDRESS + MARGIN, `${most} descriptors`);
  for (const socket of flood) socket.destroy();
  await sleep(500);
  const { body } = await service.call('GET', '/metrics', undefined, { headers: ADMIN });
  const [, cut = '0'] = /connections_cut_total\{reason="too-many-from-address"\} (\d+)/.exec(String(body)) ?? [];
  t.ok(Number(cut) > 0);
  const lines = service.output().match(/Connections cut/g)?.length ?? 0;
  t.ok(lines > 0 && lines < 10, `${lines} lines in the log`);
  const after = descriptorsOf(service);
  t.ok(after <= before + MARGIN, `${after} descriptors`);
  t.comment(`${before} descriptors, at most ${most}, then ${after}; ${cut} cut; beside ${JSON.stringify(figures)}`);
});

t.test('floods of requests that are sent together and never read, well-formed or not', async (t) => {
  const service = await startSmallService(t);
  const beside = await CallersBeside.start(service);
  for (const request of ['GET /v HTTP/1.1\r\nHost: a\r\n\r\n', 'GET /% HTTP/1.1\r\nHost: a\r\n\r\n']) {
    const sockets = await openMany(t, service, 100, request.repeat(10_000));
    await sleep(2000);
    for (const socket of sockets) socket.destroy();
  }
  t.comment(`beside ${JSON.stringify(await beside.stop(t))}`);
  t.equal(service.child.exitCode, null);
});
