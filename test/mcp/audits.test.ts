// Agents see the audit that everybody else sees.
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

t.test('audit-ports answers a recent audit of the same scope, and port-summary the last one in short', async (t) => {
  const app = await makeApp(t, await openPostgres(t));
  const request = requester(app);
  const client = await closeAtEnd(t, (clients[0] as (typeof clients)[0]).overHttp(await listenMcp(app)));
  const ask = async (name: string, input: object = {}) =>
    (await client.callTool({ name, arguments: { ...input } })).structuredContent;
  await request('PUT', '/v1/projects/odin/services/api', {});
  const lastAudit = async (input: object = {}) => (await ask('port-summary', { project: 'odin', ...input })).lastAudit;
  t.equal(await lastAudit(), undefined);

  const kept = (await request('POST', '/v1/audits', { project: 'odin' })).body;
  const { conflictCounts, ...recent } = await ask('audit-ports', { project: 'odin', maxAgeSeconds: 600 });
  const [{ expected, actual, ...conflict }] = kept.conflicts;
  t.match([expected, actual], ['odin/api listens', 'nothing listens']);
  const told = Object.entries({ ...kept, conflicts: [conflict] }).filter(([, value]) => value !== null);
  t.same(recent, Object.fromEntries(told), 'without what the detail says too');
  t.match(conflictCounts, { 'not-running': 1 });
  for (const other of [{}, { project: 'odin', unallocated: true }, { project: 'odin', host: 'localhost' }]) {
    t.not((await ask('audit-ports', { ...other, maxAgeSeconds: 600 })).id, kept.id, 'of another scope');
  }
  t.equal((await ask('audit-ports', { project: 'odin', maxAgeSeconds: 600 })).id, kept.id);
  const fresh = await ask('audit-ports', { project: 'odin' });
  t.not(fresh.id, kept.id);

  const last = await lastAudit();
  t.match(last, { id: fresh.id, checkedAt: fresh.checkedAt, health: 0, conflicts: 1 });
  t.ok(last.ageSeconds >= 0 && last.ageSeconds < 60, last.ageSeconds);
  const { id } = (await request('POST', '/v1/audits', {})).body;
  t.match(await lastAudit(), { id }, 'one of everything covers the project');
  t.match(await lastAudit({ host: 'web' }), { id, conflicts: 0 });
  t.match(await ask('port-summary', { project: 'consilio' }), { lastAudit: { id, conflicts: 0 } });
});
