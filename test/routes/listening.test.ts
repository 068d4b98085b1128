// New ports of this machine are ports on which a server can listen at that moment.
import t, { type Test } from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';
import { listen } from '../helpers/listeners.js';
import { findFreeBlock } from '../helpers/machine.js';

for (const [name, open] of databases) {
  t.test(`ports on which somebody listens, on ${name}`, async (t) => {
    const database = await open(t);
    const makeRequest = async (t: Test, variables: Record<string, string> = {}) =>
      requester(await makeApp(t, database, { AVOID_LISTENING: 'true', ...variables }));
    const request = await makeRequest(t);
    let projects = 0;
    /** A project with a range of its own, in which nobody listens. */
    const makeProject = async () => {
      const project = `project-${projects++}`;
      for (;;) {
        const start = await findFreeBlock();
        const { status } = await request('POST', '/v1/ranges', { project, startPort: start });
        if (status === 201) return { path: `/v1/projects/${project}`, start };
      }
    };

    t.test('a port that a stranger listens on is passed over, until he is gone', async (t) => {
      const { path, start } = await makeProject();
      const stranger = await listen(t, '127.0.0.1', start);
      await listen(t, '::1', start + 2);
      const get = async (service: string) => (await request('PUT', `${path}/services/${service}`)).body.port;
      t.equal(await get('a'), start + 1);
      t.equal(await get('b'), start + 3);
      stranger.close();
      t.equal(await get('c'), start, 'it is usable again');
      t.equal(await get('a'), start + 1, 'a port that is held never moves');
    });

    t.test('a listener of its own does not move a service', async (t) => {
      const { path, start } = await makeProject();
      const get = async () => (await request('PUT', `${path}/services/web`)).body.port;
      t.equal(await get(), start);
      await listen(t, '0.0.0.0', start);
      t.equal(await get(), start);
      const details = { description: 'changed' };
      t.match((await request('PUT', `${path}/services/web`, details)).body, { port: start, ...details });
    });

    t.test('a released port is passed over while its process still listens', async (t) => {
      const { path, start } = await makeProject();
      const { id } = (await request('PUT', `${path}/services/web`)).body;
      await listen(t, '127.0.0.1', start);
      await request('DELETE', `/v1/allocations/${id}`);
      t.equal((await request('PUT', `${path}/services/web`)).body.port, start + 1);
    });

    t.test('allocations, environments and reservations pass over it too, for their protocol', async (t) => {
      const { path, start } = await makeProject();
      for (const offset of [0, 2, 4]) await listen(t, '127.0.0.1', start + offset);
      t.equal((await request('POST', `${path}/allocations`, { service: 'a' })).body.port, start + 1);
      t.equal((await request('POST', `${path}/reservations`, { ttlSeconds: 60 })).body.port, start + 3);
      const services = [{ service: 'x' }, { service: 'y' }];
      const { items } = (await request('PUT', `${path}/environments/e`, { services })).body;
      t.strictSame(
        items.map(({ port }: { port: number }) => port),
        [start + 5, start + 6],
      );
      t.equal((await request('PUT', `${path}/services/dns?protocol=udp`)).body.port, start);
      t.equal((await request('PUT', `${path}/services/web?host=db1`)).body.port, start, 'another machine');
    });

    t.test('whoever names a port gets it, because the service may be running already', async (t) => {
      const { path, start } = await makeProject();
      await listen(t, '127.0.0.1', start + 7);
      const answer = await request('POST', `${path}/allocations`, { service: 'a', port: start + 7 });
      t.match(answer, { status: 201, body: { port: start + 7 } });
    });

    t.test('a preferred port is taken if it is free and usable, and else the lowest one', async (t) => {
      const { path, start } = await makeProject();
      await listen(t, '127.0.0.1', start + 8);
      const prefer = async (port: number) =>
        (await request('POST', `${path}/allocations`, { service: 'a', prefer: port })).body.port;
      t.equal(await prefer(start + 9), start + 9);
      t.equal(await prefer(start + 9), start, 'held by now');
      t.equal(await prefer(start + 8), start + 1, 'somebody listens there');
      t.equal(await prefer(start - 1), start + 2, 'in no range of the project');
    });

    t.test('one number for both protocols is usable for both, and in order', async (t) => {
      const { path, start } = await makeProject();
      await listen(t, '127.0.0.1', start);
      await request('POST', `${path}/allocations`, { service: 'dns', protocol: 'udp', port: start + 1 });
      const { status, body } = await request('POST', `${path}/allocations`, { service: 'quic', protocol: 'both' });
      t.equal(status, 201);
      t.match(body.items, [
        { port: start + 2, protocol: 'tcp', service: 'quic' },
        { port: start + 2, protocol: 'udp', service: 'quic' },
      ]);
    });

    t.test('64 callers at once get the 64 lowest usable ports', async (t) => {
      const { path, start } = await makeProject();
      const taken = [0, 3, 10, 11, 12, 40].map((offset) => start + offset);
      for (const port of taken) await listen(t, '127.0.0.1', port);
      const answers = await Promise.all(
        [...Array(64).keys()].map((i) => request('PUT', `${path}/services/s${i}`).then(({ body }) => body.port)),
      );
      const usable = Array.from({ length: 70 }, (_, i) => start + i).filter((port) => !taken.includes(port));
      t.strictSame(
        answers.sort((a, b) => a - b),
        usable.slice(0, 64),
      );
    });

    t.test('an exhausted range says how many ports were passed over', async (t) => {
      const { path, start } = await makeProject();
      const services = Array.from({ length: 97 }, (_, i) => ({ service: `s${i}` }));
      t.equal((await request('PUT', `${path}/environments/e`, { services })).status, 201);
      for (const offset of [97, 98, 99]) await listen(t, '127.0.0.1', start + offset);
      const { status, body } = await request('PUT', `${path}/services/web`);
      t.match({ status, code: body.code }, { status: 409, code: 'range-exhausted' });
      t.match(body.detail, /Passed over, because somebody listens there or the system keeps them: 3\./);
    });

    t.test('AVOID_LISTENING=false, or a target for localhost, switches it off', async (t) => {
      for (const off of [{ AVOID_LISTENING: 'false' }, { PROBE_TARGETS: 'localhost=host.docker.internal' }]) {
        const { path, start } = await makeProject();
        await listen(t, '127.0.0.1', start);
        const elsewhere = await makeRequest(t, off);
        t.equal((await elsewhere('PUT', `${path}/services/web`)).body.port, start);
      }
    });
  });
}
