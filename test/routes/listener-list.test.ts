import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { realpath } from 'node:fs/promises';
import t from 'tap';
import type { ListeningPort } from '../../src/schemas/port.js';
import { makeApp, requester } from '../helpers/app.js';
import { databases, openPostgres } from '../helpers/database.js';
import { findFreeIn, listen, listenIn } from '../helpers/listeners.js';
import { assertInvalid } from '../helpers/problems.js';

const linux = { skip: process.platform !== 'linux' };

for (const [name, open] of databases) {
  t.test(`what listens on this machine, on ${name}`, linux, async (t) => {
    const request = requester(await makeApp(t, await open(t)));
    const folder = await realpath(t.testdir());
    const own = await listen(t, '::', await findFreeIn(3200));
    const child = await listenIn(t, folder, '127.0.0.1', await findFreeIn(3100));
    const unmanaged = await listen(t, '127.0.0.1', await findFreeIn(2100));
    const udp = createSocket('udp4').bind(own.port, '127.0.0.1');
    await once(udp, 'listening');
    t.teardown(() => udp.close());
    const ports = [unmanaged.port, child.port, own.port];
    const readAll = async (limit: number) => {
      const found: ListeningPort[] = [];
      for (let url = `/v1/listeners?limit=${limit}`; url !== ''; ) {
        const { status, body, headers } = await request('GET', url);
        t.equal(status, 200, url);
        t.ok(body.items.length <= limit);
        found.push(...body.items);
        url = /^<(.+)>; rel="next"$/.exec(String(headers.link ?? ''))?.[1] ?? '';
        t.equal(url === '', body.nextCursor === null);
      }
      return found;
    };

    t.test('it is listed with its process, by port', async (t) => {
      const all = await readAll(1000);
      const here = { host: 'localhost', pid: process.pid };
      t.match(
        all.filter(({ port }) => ports.includes(port)),
        [
          { ...here, port: unmanaged.port, protocol: 'tcp', address: '127.0.0.1' },
          { host: 'localhost', port: child.port, protocol: 'tcp', process: 'node', pid: child.pid, path: folder },
          { ...here, port: own.port, protocol: 'tcp', address: '*' },
          { ...here, port: own.port, protocol: 'udp', address: '127.0.0.1' },
        ],
      );
      for (const port of ports) {
        const { listener } = (await request('GET', `/v1/ports/${port}`)).body;
        const { port: _, host, protocol, ...listed } = all.find((one) => one.port === port) as ListeningPort;
        t.strictSame(listed, listener, 'as the port itself tells it');
      }
    });

    t.test('its pages have each once', async (t) => {
      const keys = (await readAll(1)).map(({ port, protocol }) => `${String(port).padStart(5, '0')} ${protocol}`);
      t.strictSame(keys, [...new Set(keys)].sort());
      for (const port of ports) t.ok(keys.includes(`${String(port).padStart(5, '0')} tcp`));
    });

    t.test('a cursor of another list is refused', async (t) => {
      for (const cursor of ['x', Buffer.from('[3100]').toString('base64url')]) {
        assertInvalid(t, await request('GET', `/v1/listeners?cursor=${cursor}`), '/query/cursor');
      }
      const sctp = Buffer.from('[3100,"sctp"]').toString('base64url');
      assertInvalid(t, await request('GET', `/v1/listeners?cursor=${sctp}`), '/query/cursor');
    });
  });
}

t.test('where the ports of localhost are those of another machine, it is empty', async (t) => {
  const request = requester(await makeApp(t, await openPostgres(t), { PROBE_TARGETS: 'localhost=192.0.2.1' }));
  await listen(t, '127.0.0.1', await findFreeIn(3400));
  t.strictSame((await request('GET', '/v1/listeners')).body, { items: [], nextCursor: null });
});
