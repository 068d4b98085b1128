// The limits of what one project may hold: what is refused, what never is, and what makes room again.
import { sql } from 'kysely';
import t from 'tap';
import { type Answer, makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';
import { assertProblem } from '../helpers/problems.js';

const LIMITS = {
  MAX_HOSTS_PER_PROJECT: '2',
  MAX_ENVIRONMENTS_PER_PROJECT: '2',
  MAX_RESERVATIONS_PER_PROJECT: '3',
  MAX_IDEMPOTENCY_KEYS_PER_PROJECT: '3',
  MAX_HEALTH_CHECKS_PER_PROJECT: '3',
};
const SERVICES = { services: [{ service: 'web' }, { service: 'db' }] };
const TTL = { ttlSeconds: 600 };
const reservations = '/v1/projects/quiculum-monitor/reservations';
const key = (name: string) => ({ 'idempotency-key': name });

for (const [name, open] of databases) {
  t.test(`limits of a project on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database, LIMITS));
    const ask = async (status: number, ...asked: Parameters<typeof request>): Promise<Answer> => {
      const answer = await request(...asked);
      t.equal(answer.status, status, `${asked[0]} ${asked[1]}: ${answer.text}`);
      return answer;
    };
    const refuse = async (detail: string, ...asked: Parameters<typeof request>) => {
      const refusal = await ask(409, ...asked);
      assertProblem(t, refusal, 'limit-reached');
      t.ok(refusal.body.detail.startsWith(detail), refusal.body.detail);
    };

    await t.test('hosts', async () => {
      const web = '/v1/projects/consilio/services/web';
      await ask(201, 'PUT', `${web}?host=a.example`);
      const reserved = await ask(201, 'POST', '/v1/projects/consilio/reservations', { ...TTL, host: 'b.example' });
      const detail =
        'Project consilio holds or reserves ports on 2 hosts beside localhost, and more are not allowed. Give up ' +
        'everything on one of them, or ask the operator to raise MAX_HOSTS_PER_PROJECT. ' +
        'GET /v1/allocations?project=consilio and GET /v1/reservations?project=consilio list what is held.';
      await refuse(detail, 'PUT', `${web}?host=c.example`);
      await refuse(detail, 'POST', '/v1/projects/consilio/reservations', { ...TTL, host: 'c.example' });
      await ask(200, 'PUT', `${web}?host=a.example`);
      await ask(201, 'PUT', '/v1/projects/consilio/services/db?host=b.example&protocol=udp');
      await ask(201, 'PUT', web);
      await ask(201, 'PUT', '/v1/projects/odin/services/web?host=c.example');
      await ask(200, 'DELETE', '/v1/projects/consilio/services/db?host=b.example&protocol=udp');
      await refuse(detail, 'PUT', `${web}?host=c.example`);
      await ask(200, 'DELETE', `/v1/reservations/${reserved.body.id}`);
      await ask(201, 'PUT', `${web}?host=c.example`);
      await ask(200, 'DELETE', `${web}?host=a.example`);
      await ask(201, 'PUT', `${web}?host=d.example`);
    });

    await t.test('environments', async () => {
      const project = '/v1/projects/openhorizon';
      await ask(201, 'PUT', `${project}/services/web?environment=a`);
      await ask(201, 'PUT', `${project}/environments/b?host=b.example`, SERVICES);
      await ask(201, 'PUT', `${project}/environments/default`, SERVICES);
      const detail =
        'Project openhorizon holds ports in 2 environments beside default, and more are not allowed. Release ' +
        'everything in one of them, or ask the operator to raise MAX_ENVIRONMENTS_PER_PROJECT. ' +
        'GET /v1/projects/openhorizon/environments lists them.';
      await refuse(detail, 'PUT', `${project}/environments/c`, SERVICES);
      await refuse(detail, 'PUT', `${project}/services/web?environment=c`);
      await refuse(detail, 'POST', `${project}/allocations`, { service: 'web', environment: 'c' });
      const reserved = await ask(201, 'POST', `${project}/reservations`, { ...TTL, service: 'web' });
      await refuse(detail, 'POST', `/v1/reservations/${reserved.body.id}/claim`, { environment: 'c' });
      await ask(201, 'POST', `/v1/reservations/${reserved.body.id}/claim`, { environment: 'b' });
      const items = [
        { port: 3290, environment: 'c' },
        { port: 3291, environment: 'a' },
      ];
      const { body } = await ask(200, 'POST', '/v1/imports', { items });
      t.match(body.items, [{ outcome: 'conflict', detail: /MAX_ENVIRONMENTS_PER_PROJECT/ }, { outcome: 'adopted' }]);
      await ask(200, 'DELETE', `${project}/environments/a`);
      await ask(201, 'PUT', `${project}/environments/c`, SERVICES);
    });

    await t.test('reservations', async () => {
      const first = await ask(201, 'POST', reservations, TTL);
      for (let i = 0; i < 2; i++) await ask(201, 'POST', reservations, TTL);
      const detail =
        'Project quiculum-monitor has 3 reservations, those that ended in the last 7 days included, and more are not ' +
        'allowed. Wait until old ones are deleted, allocate instead, or ask the operator to raise ' +
        'MAX_RESERVATIONS_PER_PROJECT.';
      await refuse(detail, 'POST', reservations, TTL);
      await ask(200, 'PATCH', `/v1/reservations/${first.body.id}`, { ttlSeconds: 900 });
      await ask(200, 'DELETE', `/v1/reservations/${first.body.id}`);
      await refuse(detail, 'POST', reservations, TTL);
      await ask(201, 'PUT', '/v1/projects/quiculum-monitor/services/web');
    });

    await t.test('idempotency keys', async () => {
      const project = '/v1/projects/health-agent';
      const allocate = [`${project}/allocations`, { service: 'web' }] as const;
      const first = await ask(201, 'POST', ...allocate, key('k1'));
      const reserved = await ask(201, 'POST', `${project}/reservations`, TTL, key('k2'));
      await ask(201, 'POST', `/v1/reservations/${reserved.body.id}/claim`, { service: 'db' }, key('k3'));
      const detail =
        'Project health-agent used 3 idempotency keys in the last 24 hours, and more are not allowed. Wait until the ' +
        'oldest are 24 hours old, or ask the operator to raise MAX_IDEMPOTENCY_KEYS_PER_PROJECT.';
      await refuse(detail, 'POST', ...allocate, key('k4'));
      await refuse(detail, 'POST', `/v1/allocations/${first.body.id}/health-checks`, undefined, key('k4'));
      t.same((await ask(201, 'POST', ...allocate, key('k1'))).body, first.body, 'a retry gets the first answer');
      await ask(201, 'POST', ...allocate);
      await sql`update idempotency_keys set created_at = created_at - interval '1 day'
        where key = 'k2' and project = 'health-agent'`.execute(database.db);
      await new Promise((resolve) => setTimeout(resolve, 1100)); // the time for which it is not counted again
      await ask(201, 'POST', ...allocate, key('k4'));
    });

    await t.test('idempotency keys of imports, which belong to no project', async () => {
      for (const name of ['k1', 'k2', 'k3'])
        await ask(200, 'POST', '/v1/imports', { items: [{ port: 9000 }] }, key(name));
      const detail = 'This caller used 3 idempotency keys in the last 24 hours';
      await refuse(detail, 'POST', '/v1/imports', { items: [{ port: 9000 }] }, key('k4'));
      await ask(200, 'POST', '/v1/imports', { items: [{ port: 9000 }] }, key('k3'));
      await ask(200, 'POST', '/v1/imports', { items: [{ port: 9000 }] });
    });

    await t.test('health checks: the oldest make room for the newest', async (t) => {
      const { body } = await ask(201, 'PUT', '/v1/projects/meta-supervisor/services/probed');
      const path = `/v1/allocations/${body.id}/health-checks`;
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) ids.unshift((await ask(201, 'POST', path)).body.id);
      const kept = (await ask(200, 'GET', path)).body.items.map(({ id }: { id: string }) => id);
      t.same(kept, ids.slice(0, 3));
      await ask(200, 'POST', '/v1/audits', { project: 'meta-supervisor' });
      t.equal((await ask(200, 'GET', path)).body.items.length, 3, 'an audit is made all the same');
    });
  });
}
