// Attempts to get around the access rules that test/long/access.test.ts checks for each operation.
import { randomUUID } from 'node:crypto';
import t from 'tap';
import type { Caller } from '../../src/access/caller.js';
import { Registry } from '../../src/registry/registry.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { listen } from '../helpers/listeners.js';
import { assertProblem } from '../helpers/problems.js';
import { insertReservation, readRegistry } from '../helpers/rows.js';

const database = await openPostgres(t);
const { db } = database;
const request = requester(await makeApp(t, database, WITH_KEYS));
const reader = bearer((await makeKey(request, 'reader')).key);
const odin = bearer((await makeKey(request, 'project', 'odin')).key);
const both = bearer((await makeKey(request, 'project', 'odin', 'health-agent')).key);
const HELD = { serviceType: 'hush', description: 'hush', cloudflareHostname: 'hush.example.com' };
const held = (await request('PUT', '/v1/projects/consilio/services/hush', HELD, ADMIN)).body;
const own = (await request('PUT', '/v1/projects/odin/services/api', HELD, odin)).body;
const get = (path: string, who: Record<string, string>) => request('GET', path, undefined, who);

t.test('a filter cannot widen what a list shows', async (t) => {
  for (const path of [
    '/v1/allocations?project=consilio',
    '/v1/allocations?port=3100&status=any',
    '/v1/allocations?cloudflareHostname=hush.example.com&project=consilio',
    '/v1/reservations?project=consilio',
  ]) {
    t.same((await get(path, odin)).body, { items: [], nextCursor: null }, path);
  }
  const listed = (await get('/v1/allocations?cloudflareHostname=hush.example.com', odin)).body.items;
  t.same(
    listed.map(({ id }: { id: string }) => id),
    [own.id],
  );
});

t.test('a cursor of somebody who sees more cannot widen it either', async (t) => {
  const { nextCursor } = (await get('/v1/allocations?limit=1', ADMIN)).body;
  await request('PUT', '/v1/projects/openhorizon/services/x', undefined, ADMIN);
  const { items } = (await get(`/v1/allocations?cursor=${nextCursor}`, odin)).body;
  t.ok(items.every(({ project }: { project: string }) => project === 'odin'));
});

t.test('a project that the key does not cover gets the same refusal whether it exists or not', async (t) => {
  for (const path of ['summary', 'environments', 'environments/x', 'services/x']) {
    const [there, nowhere] = [
      await get(`/v1/projects/consilio/${path}`, odin),
      await get(`/v1/projects/nobody/${path}`, odin),
    ];
    assertProblem(t, there, 'forbidden');
    t.match(there.body.detail, /covers odin, and not consilio/);
    t.equal(there.body.detail.replace('consilio', 'nobody'), nowhere.body.detail);
  }
  assertProblem(t, await get('/v1/exports/dotenv?project=consilio', odin), 'forbidden');
  assertProblem(t, await request('POST', '/v1/audits', { project: 'consilio' }, odin), 'forbidden');
});

t.test('a key may cover several projects, and one that has no range yet', async (t) => {
  const { items } = (await get('/v1/projects', both)).body;
  t.same(
    items.map(({ project }: { project: string }) => project),
    ['health-agent', 'odin'],
  );
  const early = bearer((await makeKey(request, 'project', 'later')).key);
  assertProblem(t, await request('PUT', '/v1/projects/later/services/api', undefined, early), 'project-not-found');
});

t.test('about a port of another project, a key learns whose range it is in and whether it is taken', async (t) => {
  const port = (number: number, who = odin) => get(`/v1/ports/${number}`, who).then(({ body }) => body);
  await insertReservation(db, { port: 3101, project: 'consilio', seconds: 600 });
  for (const number of [3100, 3101]) {
    t.match(await port(number), {
      state: 'allocated',
      range: { project: 'consilio' },
      allocation: null,
      reservation: null,
    });
  }
  t.equal((await port(3102)).state, 'free');
  t.match(await port(3300), { state: 'allocated', allocation: { id: own.id } });
  t.match(await port(3101, reader), { state: 'reserved', reservation: { project: 'consilio' } });
});

t.test('a refusal of a port that another project released names that project and nothing else of it', async (t) => {
  // The block belonged to consilio before, and belongs to odin now.
  const range = { project: 'consilio', startPort: 12_000 };
  await request('POST', '/v1/ranges', range, ADMIN);
  await request('PATCH', '/v1/ranges/12000', { reuseCooldownSeconds: 3600 }, ADMIN);
  const wanted = { service: 'hush', port: 12_007 };
  const { id } = (await request('POST', '/v1/projects/consilio/allocations', wanted, ADMIN)).body;
  await request('DELETE', `/v1/allocations/${id}`, undefined, ADMIN);
  await request('DELETE', '/v1/ranges/12000', undefined, ADMIN);
  await request('POST', '/v1/ranges', { ...range, project: 'odin' }, ADMIN);
  await request('PATCH', '/v1/ranges/12000', { reuseCooldownSeconds: 3600 }, ADMIN);

  const take = { service: 'api', port: 12_007 };
  const { body, text } = await request('POST', '/v1/projects/odin/allocations', take, odin);
  t.match(body, {
    code: 'port-taken',
    holder: { kind: 'cooling', id: null, project: 'consilio', service: null, environment: null },
  });
  t.notMatch(text, /hush/);
  const report = await request('POST', '/v1/imports', { items: [{ port: 12_007 }] }, odin);
  t.match(report.body.items, [{ outcome: 'conflict', detail: /kept for consilio/ }]);
  t.notMatch(report.text, /hush/);
  const told = await request('POST', '/v1/projects/odin/allocations', take, ADMIN);
  t.match(told.body.holder, { project: 'consilio', service: 'hush' }, 'who sees everything is told');
});

t.test('an import adopts nothing in a range of another project, and does not reveal what is held there', async (t) => {
  const before = (await get('/v1/allocations?project=consilio', ADMIN)).body;
  const items = [{ port: 3100 }, { port: 3150, service: 'x' }, { port: 3350, service: 'mine' }, { port: 40_000 }];
  const { body, text } = await request('POST', '/v1/imports', { items }, odin);
  t.same(
    body.items.map(({ outcome }: { outcome: string }) => outcome),
    ['conflict', 'conflict', 'adopted', 'outside'],
  );
  t.notMatch(text, /hush/);
  t.same((await get('/v1/allocations?project=consilio', ADMIN)).body, before);
});

t.test('an audit covers what the key covers, and of others with the same hostname names the project', async (t) => {
  await listen(t, '127.0.0.1', 3305);
  const { body, text } = await request('POST', '/v1/audits', { unallocated: true }, odin);
  t.equal(body.checkedPorts, 200, 'the ports of both ranges, each once');
  const kinds = body.conflicts.map(({ kind, port }: { kind: string; port: number }) => `${kind} ${port}`);
  t.ok(kinds.includes('squatter 3305'), text);
  const [duplicate] = body.conflicts.filter(({ kind }: { kind: string }) => kind === 'duplicate-hostname');
  t.match(duplicate, { project: 'odin', service: 'api', actual: 'also consilio' });
  t.notMatch(text, /3100|consilio\/hush/);
  const { conflicts } = (await request('POST', '/v1/audits', {}, ADMIN)).body;
  t.match(JSON.stringify(conflicts), /also consilio\/hush on port 3100/, 'who sees everything is told');
});

t.test('a reader changes nothing, also where there would be nothing to change', async (t) => {
  const before = await readRegistry(db);
  assertProblem(t, await request('PUT', '/v1/projects/consilio/services/hush', undefined, reader), 'forbidden');
  assertProblem(t, await request('DELETE', `/v1/allocations/${randomUUID()}`, undefined, reader), 'forbidden');
  const dry = await request('POST', '/v1/imports?dryRun=true', { items: [{ port: 3100 }] }, reader);
  assertProblem(t, dry, 'forbidden');
  t.match(dry.body.detail, /role reader, which changes nothing/);
  t.equal(await readRegistry(db), before);
  t.equal((await get(`/v1/allocations/${held.id}`, reader)).status, 200);
});

t.test('no caller gets an answer that another’s Idempotency-Key has', async (t) => {
  const wanted = { service: 'keyed' };
  const path = '/v1/projects/odin/allocations';
  const ask = (who: Record<string, string>) => request('POST', path, wanted, { ...who, 'idempotency-key': 'same' });
  const ports = [(await ask(odin)).body.port, (await ask(both)).body.port, (await ask(ADMIN)).body.port];
  t.equal(new Set(ports).size, 3);
  t.equal((await ask(odin)).body.port, ports[0]);
});

t.test('a caller without the right gets no session, and a session for reading cannot change anything', async (t) => {
  const project: Caller = {
    kind: 'key',
    id: 'x',
    name: 'x',
    role: 'project',
    projects: ['odin'],
    hostnames: null,
    hosts: null,
    expiresAt: null,
  };
  const registry = new Registry(db);
  const work = async () => t.fail('it may not change anything');
  await t.rejects(registry.as(project, 'read').change({ project: 'odin' }, work), { message: /only reads/ });
  t.throws(() => registry.as({ kind: 'unidentified' }, 'read'), { code: 'unauthorized' });
  t.throws(() => registry.as({ ...project, role: 'reader' }, 'change'), { code: 'forbidden' });
});
