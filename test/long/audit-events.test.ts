import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { openBlackHole } from '../helpers/listeners.js';

const HOST = '127.0.0.61';
const EVENTS = { accept: 'text/event-stream' };

/** An audit of this registry takes two timeouts, one after the other. */
async function setUpSlow(t: Test, timeoutMs = 200) {
  const { db } = await openPostgres(t);
  const app = await makeApp(
    t,
    { db },
    { PROBE_TARGETS: `web=${HOST}`, PROBE_TIMEOUT_MS: String(timeoutMs), PROBE_CONCURRENCY: '1' },
  );
  for (const port of [3300, 3301]) await openBlackHole(t, HOST, port);
  await sql`insert into port_allocations (port, project, service, host)
    select 3300 + i % 2, 'odin', 'slow', 'web' from generate_series(0, 1) i`.execute(db);
  await app.listen({ port: 0 });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/v1/audits`;
  return { db, app, url, request: requester(app) };
}

function parseEvents(text: string): { event: string; data: Record<string, unknown> }[] {
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('event: '))
    .map((block) => {
      const [, event = '', data = ''] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
      return { event, data: JSON.parse(data) };
    });
}

t.test('the audit streams its progress, and ends with the result', async (t) => {
  const { request } = await setUpSlow(t);
  const answer = await request('POST', '/v1/audits', {}, EVENTS);
  t.equal(answer.status, 200);
  t.match(answer.headers, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-request-id': /./,
  });
  const events = parseEvents(answer.text);
  t.same(events[0], { event: 'progress', data: { done: 0, total: 2 } });
  t.same(events.at(-2), { event: 'progress', data: { done: 2, total: 2 } });
  t.match(events.at(-1), { event: 'result', data: { allocated: 2, inUse: 0, health: 0, checkedPorts: 2 } });
  t.equal(events.filter(({ event }) => event === 'result').length, 1);
  t.same((await request('GET', '/v1/audits')).body.items, [events.at(-1)?.data], 'the one that is kept');
});

t.test('an audit that is refused before it begins is answered with an ordinary problem document', async (t) => {
  const { request } = await setUpSlow(t);
  t.match(await request('POST', '/v1/audits', { host: '10.0.0.5' }, EVENTS), {
    status: 422,
    headers: { 'content-type': /^application\/problem\+json/ },
    body: { code: 'not-probeable' },
  });
  t.match(await request('POST', '/v1/audits', {}, { accept: 'text/html' }), { status: 406 });
});

for (const accept of ['text/event-stream', 'application/json']) {
  t.test(`a client that leaves stops the audit (${accept})`, async (t) => {
    const { db, url } = await setUpSlow(t, 400);
    const leaving = new AbortController();
    const answer = fetch(url, { method: 'POST', headers: { accept }, signal: leaving.signal });
    if (accept === 'text/event-stream') await (await answer).body?.getReader().read();
    else await setTimeout(150);
    leaving.abort();
    await answer.catch(() => {});
    await setTimeout(2 * 400 + 500);
    t.same(await db.selectFrom('port_health_checks').selectAll().execute(), [], 'it would have stored two by now');
    t.same(await db.selectFrom('port_audits').selectAll().execute(), [], 'what broke off is not kept');
  });
}

t.test('the number of audits that run at a time is limited', async (t) => {
  const { request } = await setUpSlow(t);
  const answers = await Promise.all(Array.from({ length: 6 }, () => request('POST', '/v1/audits')));
  t.same(answers.map(({ status }) => status).sort(), [200, 200, 200, 200, 503, 503]);
  t.match(
    answers.filter(({ status }) => status === 503),
    [1, 2].map(() => ({ body: { code: 'overloaded' }, headers: { 'retry-after': '5' } })),
  );
  t.equal((await request('POST', '/v1/audits')).status, 200);
});

t.test('an audit may take longer than a request, and ends when the service does', async (t) => {
  const { app, url } = await setUpSlow(t);
  const answer = await fetch(url, { method: 'POST', headers: EVENTS });
  const text = answer.text();
  await app.close();
  t.match(parseEvents(await text).at(-1), { event: 'problem', data: { code: 'overloaded', status: 503 } });
});
