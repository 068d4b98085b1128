import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { makeApp, requester } from '../../helpers/app.js';
import { openPostgres } from '../../helpers/database.js';
import { findFreeIn, listenIn } from '../../helpers/listeners.js';

/** An address of this machine that is not reached at localhost. */
const OTHER = '127.9.9.9';

const database = await openPostgres(t);

t.test('who listens on another address of this machine is found', { skip: process.platform !== 'linux' }, async (t) => {
  const request = requester(await makeApp(t, database));
  const root = await realpath(t.testdir({ shop: {}, other: {} }));
  const [home, away] = [join(root, 'shop'), join(root, 'other')];
  const audit = async (project: string, unallocated: boolean, port: number) => {
    const { body } = await request('POST', '/v1/audits', { project, host: 'localhost', unallocated });
    return { ...body, conflicts: body.conflicts.filter((one: { port: number }) => one.port === port) };
  };

  await t.test('on a port that nobody holds', async (t) => {
    const port = await findFreeIn(3400);
    const { pid, end } = await listenIn(t, away, OTHER, port);
    const actual = `node, pid ${pid}, in ${away}, on ${OTHER}`;
    t.match((await request('GET', `/v1/ports/${port}`)).body, { state: 'squatted', listener: { pid } });
    t.match((await audit('health-agent', true, port)).conflicts, [{ kind: 'squatter', host: 'localhost', actual }]);
    await request('POST', '/v1/projects/health-agent/reservations', { port, ttlSeconds: 60 });
    t.match((await audit('health-agent', false, port)).conflicts, [{ kind: 'reserved-in-use', actual }]);
    await end();
    t.same((await audit('health-agent', true, port)).conflicts, []);
  });

  await t.test('on a port that is held', async (t) => {
    const port = await findFreeIn(3100);
    const { body } = await request('POST', '/v1/projects/consilio/allocations', { service: 'web', port });
    const status = async () => (await request('GET', `/v1/allocations/${body.id}`)).body.status;
    const own = await listenIn(t, home, OTHER, port);
    const notRunning = {
      kind: 'not-running',
      actual: `node, pid ${own.pid}, in ${home}, on ${OTHER}`,
      detail:
        /does so on 127\.9\.9\.9 instead, .+\. If that is web, let it listen on localhost or on all addresses\. If not,/,
    };
    t.match(await audit('consilio', false, port), { inUse: 0, notRunning: 1, conflicts: [notRunning] });

    const services = [{ service: 'web' }];
    await request('PUT', '/v1/projects/consilio/environments/default', { services, path: home });
    t.match(await audit('consilio', false, port), { inUse: 0, notRunning: 1, conflicts: [notRunning] });
    t.equal(await status(), 'allocated');
    await own.end();

    const { pid, end } = await listenIn(t, away, OTHER, port);
    const foreign = { kind: 'foreign-listener', actual: `node, pid ${pid}, in ${away}, on ${OTHER}` };
    const found = await audit('consilio', false, port);
    t.match(found, { inUse: 0, notRunning: 0, health: 0, conflicts: [foreign] });
    t.equal(found.conflicts.length, 1, 'and not that it is not running');
    t.equal(await status(), 'allocated');
    await end();
    t.match((await audit('consilio', false, port)).conflicts, [{ kind: 'not-running', actual: 'nothing listens' }]);
  });
});
