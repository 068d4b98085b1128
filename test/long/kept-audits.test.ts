// Audits that were finished are kept, and told to those who see all projects that they cover.
import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import t, { type Test } from 'tap';
import type { Tables } from '../../src/database/tables.js';
import { deleteSurplusAudits } from '../../src/repositories/audits.js';
import { Audit } from '../../src/schemas/audit.js';
import { makeApp, requester } from '../helpers/app.js';
import { databases, openPostgres } from '../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { assertProblem } from '../helpers/problems.js';

const TARGETS = { PROBE_TARGETS: 'web=127.0.0.43' };

interface NewRow {
  covers?: string[] | null;
  project?: string;
  host?: string;
  /** How long before now the newest of them was made. */
  ageSeconds?: number;
  conflicts?: object[];
  count?: number;
}

/** Inserts audits, each a second older than the one before. */
async function insertAudits(db: Kysely<Tables>, row: NewRow): Promise<void> {
  const { covers = null, project = null, host = null, ageSeconds = 60, conflicts = [], count = 1 } = row;
  await sql`
    insert into port_audits (project, host, unallocated, fully_probed_hosts, covers, requested_by, checked_at,
                             duration_ms, allocated, in_use, not_running, checked_ports, conflicts)
    select ${project}, ${host}, false, '{}', ${covers}::text[], 'a test',
           clock_timestamp() - make_interval(secs => ${ageSeconds} + i), 1, 0, 0, 0, 0, ${JSON.stringify(conflicts)}::jsonb
    from generate_series(0, ${count - 1}::integer) i`.execute(db);
}

async function countAudits(db: Kysely<Tables>): Promise<Record<string, number>> {
  const { rows } = await sql<{ covers: string; count: number }>`
    select coalesce(array_to_string(covers, ' '), 'all') as covers, count(*)::integer from port_audits
    group by 1 order by 1`.execute(db);
  return Object.fromEntries(rows.map(({ covers, count }) => [covers, count]));
}

for (const [name, open] of databases) {
  t.test(`${name}: each audit that was finished is kept whole, and listed newest first`, async (t) => {
    const request = requester(await makeApp(t, await open(t), TARGETS));
    await request('PUT', '/v1/projects/odin/services/api?host=web', {});
    await request('PUT', '/v1/projects/odin/services/web', {});
    const audit = async (scope?: object) => (await request('POST', '/v1/audits', scope)).body;
    const list = async (query = '') => (await request('GET', `/v1/audits${query}`)).body;
    t.same(await list(), { items: [], nextCursor: null });

    const all = await audit();
    t.match(all, {
      project: null,
      host: null,
      covers: null,
      unallocated: false,
      requestedBy: 'anonymous',
      fullyProbedHosts: [],
    });
    t.match(all, { allocated: 2, notRunning: 2, conflicts: [{ kind: 'not-running' }, { kind: 'not-running' }] });
    const wide = await audit({ unallocated: true });
    t.match(wide, { unallocated: true, fullyProbedHosts: ['localhost', 'web'] });
    const project = await audit({ project: 'odin' });
    const host = await audit({ host: 'web', unallocated: true });
    t.match(host, { project: null, host: 'web', allocated: 1, fullyProbedHosts: ['web'] });
    const both = await audit({ project: 'odin', host: 'WEB' });
    t.match(both, { project: 'odin', host: 'web' });
    for (const scope of [{ project: 'nobody' }, { host: '10.0.0.5' }]) await audit(scope); // refused, and not kept

    t.same((await list()).items, [both, host, project, wide, all]);
    t.same((await request('GET', `/v1/audits/${host.id}`)).body, host);
    assertProblem(t, await request('GET', `/v1/audits/${randomUUID()}`), 'audit-not-found');

    t.same((await list('?project=odin')).items, [both, project], 'those that were asked for the project');
    t.same((await list('?host=web')).items, [both, host]);
    t.same((await list('?project=odin&host=web')).items, [both]);
    t.same((await list('?host=localhost')).items, []);
    t.same((await list('?covering=true')).items, [wide, all], 'those that cover everything');
    t.same((await list('?covering=true&host=web')).items, [host, wide, all]);
    t.same((await list('?covering=true&project=odin')).items, [project, wide, all]);
    t.same((await list('?covering=true&project=odin&host=web')).items, [both, host, project, wide, all]);
    t.same((await list('?covering=true&project=consilio&host=localhost&limit=1')).items, [wide]);

    const first = await request('GET', '/v1/audits?limit=3');
    t.same(first.body.items, [both, host, project]);
    t.match(first.headers.link, /^<\/v1\/audits\?limit=3&cursor=[\w-]+>; rel="next"$/);
    const second = await request('GET', /<(.*)>/.exec(String(first.headers.link))?.[1] ?? '');
    t.same(second.body, { items: [wide, all], nextCursor: null });
    assertProblem(t, await request('GET', '/v1/audits?cursor=nonsense'), 'validation-failed');
  });
}

async function setUpKeys(t: Test) {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database, WITH_KEYS));
  const audit = async (headers: Record<string, string>, scope: object = {}) =>
    (await request('POST', '/v1/audits', scope, headers)).body;
  const idsFor = async (headers: Record<string, string>, query = '') =>
    (await request('GET', `/v1/audits${query}`, undefined, headers)).body.items.map(({ id }: { id: string }) => id);
  const key = async (...made: Parameters<typeof makeKey> extends [unknown, ...infer Rest] ? Rest : never) =>
    bearer((await makeKey(request, ...made)).key);
  return { ...database, request, audit, idsFor, key };
}

t.test('a key sees the audits of which it sees every project', async (t) => {
  const { request, audit, idsFor, key } = await setUpKeys(t);
  const [odin, both, reader] = [
    await key('project', 'odin'),
    await key('project', 'odin', 'consilio'),
    await key('reader'),
  ];
  const everything = await audit(ADMIN);
  t.match(everything, { requestedBy: 'ADMIN_API_KEY', covers: null });
  const ofOdin = await audit(ADMIN, { project: 'odin' });
  const ofBoth = await audit(both);
  t.match(ofBoth, { project: null, requestedBy: 'project odin consilio', covers: ['consilio', 'odin'] });
  const own = await audit(odin);
  t.match(own, { project: null, covers: ['odin'] });
  t.same(ofOdin.covers, ['odin']);
  t.same(await idsFor(ADMIN), [own.id, ofBoth.id, ofOdin.id, everything.id]);
  t.same(await idsFor(reader), [own.id, ofBoth.id, ofOdin.id, everything.id]);
  t.same(await idsFor(both), [own.id, ofBoth.id, ofOdin.id]);
  t.same(await idsFor(odin), [own.id, ofOdin.id]);
  t.same(await idsFor(odin, '?project=consilio'), []);
  t.same(await idsFor(both, '?covering=true'), [ofBoth.id], 'all that the key sees, and no less');
  t.same(await idsFor(odin, '?covering=true'), [own.id, ofOdin.id]);
  for (const { id } of [ofBoth, everything]) {
    assertProblem(t, await request('GET', `/v1/audits/${id}`, undefined, odin), 'audit-not-found');
  }
  t.equal((await request('GET', `/v1/audits/${ofOdin.id}`, undefined, odin)).status, 200);
});

t.test('what an administrator’s audit of one project tells can be read by that project’s keys', async (t) => {
  const { request, audit, key } = await setUpKeys(t);
  const shared = { cloudflareHostname: 'shared.example.com' };
  await request('PUT', '/v1/projects/odin/services/api', shared, ADMIN);
  await request('PUT', '/v1/projects/consilio/services/hush', shared, ADMIN);
  const { id } = await audit(ADMIN, { project: 'odin' });
  const told = await request('GET', `/v1/audits/${id}`, undefined, await key('project', 'odin'));
  const duplicate = told.body.conflicts.find(({ kind }: { kind: string }) => kind === 'duplicate-hostname');
  t.match(duplicate, { project: 'odin', service: 'api', actual: /^also consilio\b/ });
  t.notMatch(told.text, /hush/, 'of the other project, its name alone');
  t.match(JSON.stringify((await audit(ADMIN)).conflicts), /consilio\/hush/, 'an audit of everything tells more');
});

t.test('of the audits that cover the same projects, the newest 1000 are kept', async (t) => {
  const { db, audit, key } = await setUpKeys(t);
  await insertAudits(db, { count: 1003 });
  await insertAudits(db, { covers: ['odin'], project: 'odin', count: 1001 });
  await insertAudits(db, { covers: ['consilio', 'odin'], count: 2 });
  const { id } = await audit(await key('project', 'odin'));
  t.same(await countAudits(db), { all: 1003, 'consilio odin': 2, odin: 1000 }, 'of one key, whatever its scope');
  const { rows } = await sql<{ id: string }>`
    select id from port_audits where covers = '{odin}' order by checked_at desc limit 1`.execute(db);
  t.same(rows, [{ id }], 'the newest one is among them');
  await audit(ADMIN);
  t.same(await countAudits(db), { all: 1000, 'consilio odin': 2, odin: 1000 });
});

t.test('they are also bounded by their bytes, but for the newest', async (t) => {
  const { db } = await openPostgres(t);
  for (const ageSeconds of [10, 20, 30, 40])
    await insertAudits(db, { ageSeconds, conflicts: [{ detail: 'x'.repeat(2000) }] });
  const keep = (maxBytes: number) =>
    db.transaction().execute((trx) => deleteSurplusAudits(trx, null, { limit: 1000, maxBytes }));
  await keep(2 * 2600);
  t.same(await countAudits(db), { all: 2 });
  await keep(1000);
  t.same(await countAudits(db), { all: 1 });
});

t.test('a page of audits ends at about 1 MiB', async (t) => {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  const { conflicts } = Audit.examples[0] as { conflicts: object[] };
  const long = conflicts.map((conflict) => ({ ...conflict, detail: 'x'.repeat(600_000) }));
  await insertAudits(db, { count: 5, conflicts: long });
  const { body } = await request('GET', '/v1/audits');
  t.equal(body.items.length, 2);
  const next = (await request('GET', `/v1/audits?cursor=${body.nextCursor}`)).body;
  t.equal(next.items.length, 2);
  t.equal((await request('GET', `/v1/audits?cursor=${next.nextCursor}`)).body.items.length, 1);
});
