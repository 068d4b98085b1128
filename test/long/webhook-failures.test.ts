// Receivers that fail, each in its way. Waits are of milliseconds here.
import { createServer } from 'node:net';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { unobserved } from '../../src/observer.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN, bearer, expireKey, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { type Answerer, startReceiver } from '../helpers/receiver.js';
import { until } from '../helpers/until.js';
import { QUICK, sendWebhooks, untilDeliveries } from '../helpers/webhooks.js';

const TYPES = ['allocation.created'];
const answerWith =
  (status: number, headers = {}): Answerer =>
  (_request, response) =>
    response.writeHead(status, headers).end();

/** A receiver with its webhook, and a sender whose times are short. */
async function open(t: Test, answer?: Answerer, options: Parameters<typeof sendWebhooks>[2] = {}) {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database));
  const receiver = await startReceiver(t, answer);
  const makeWebhook = async (url: string) => {
    const { body } = await request('POST', '/v1/webhooks', { url, types: TYPES });
    return body as { id: string; secret: string };
  };
  const webhook = await makeWebhook(receiver.url);
  receiver.secret = webhook.secret;
  const sender = sendWebhooks(t, database, options);
  const allocate = (service: string, project = 'consilio') =>
    request('PUT', `/v1/projects/${project}/services/${service}`);
  return { ...database, request, receiver, webhook, makeWebhook, allocate, sender };
}

const services = (received: readonly { event: { data: { allocation: { service: string } } } }[]) =>
  received.map(({ event }) => event.data.allocation.service);

t.test('500, and then 200: again with the same id, before what happened after it', async (t) => {
  let failures = 2;
  const answer: Answerer = ({ event }, response) =>
    response.writeHead(event.project === 'consilio' && failures-- > 0 ? 500 : 200).end();
  const { db, allocate, receiver } = await open(t, answer);
  await allocate('a');
  await allocate('b');
  await allocate('other', 'odin');
  await untilDeliveries(db, 'delivered', 3);
  const ofConsilio = receiver.received.filter(({ event }) => event.project === 'consilio');
  t.same(services(ofConsilio), ['a', 'a', 'a', 'b']);
  t.equal(new Set(ofConsilio.map(({ id }) => id)).size, 2);
  const [first] = await untilDeliveries(db, 'delivered', 3);
  t.match(first, { attempts: 3, response_status: 200, error: null });
});

t.test('410 switches the webhook off, and ends what is pending', async (t) => {
  let answer = () => {};
  const bothPending = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const { db, allocate, receiver, request, webhook } = await open(t, (_request, response) => {
    void bothPending.then(() => response.writeHead(410).end());
  });
  await allocate('a');
  await allocate('b');
  await untilDeliveries(db, 'pending', 2);
  answer();
  const rows = await untilDeliveries(db, 'failed', 2);
  t.match(
    rows.map(({ error }) => error),
    ['The receiver answered 410.', 'The webhook was switched off.'],
  );
  const { body } = await request('GET', `/v1/webhooks/${webhook.id}`);
  t.match(body, { enabled: false, disabledReason: 'The receiver answered 410: it wants no more events.' });
  await allocate('c');
  t.same(services(receiver.received), ['a']);
  const repeated = await request('POST', `/v1/webhooks/${webhook.id}/deliveries/${rows[0]?.id}/repeat`);
  t.match(repeated.body, { status: 409, code: 'webhook-disabled' });
});

t.test('a redirect is not followed', async (t) => {
  const { db, allocate, receiver } = await open(t, answerWith(302, { location: '/elsewhere' }));
  await allocate('a');
  await receiver.has(2);
  const [row] = await untilDeliveries(db, 'pending', 1);
  t.match(row, { response_status: 302, error: 'The receiver answered 302. Redirects are not followed.' });
  t.ok(receiver.received.every(({ path }) => path === '/events'));
});

t.test('an answer that upgrades the connection is a failure like any other', async (t) => {
  const { db, allocate, sender } = await open(t, (_request, response) => {
    response.socket?.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  });
  await allocate('a');
  let [row] = await untilDeliveries(db, 'pending', 1);
  while (row?.error === null) [row] = await untilDeliveries(db, 'pending', 1);
  t.match(row, { response_status: 101, error: 'The receiver answered 101.' });
  await sender.stop();
});

t.test('Retry-After of 429 and 503 is waited for', async (t) => {
  const { db, allocate, receiver } = await open(t, (request, response) => {
    receiver.answer = answerWith(200);
    answerWith(429, { 'retry-after': '1' })(request, response);
  });
  await allocate('a');
  await receiver.has(1);
  const begin = performance.now();
  await receiver.has(2);
  const waited = performance.now() - begin;
  t.ok(waited > 900 && waited < 5000, `${waited} ms`);
  await untilDeliveries(db, 'delivered', 1);
});

t.test('receivers that hang, are down or answer without an end delay no other', async (t) => {
  const { db, allocate, receiver, makeWebhook, request } = await open(t, undefined, { attemptTimeoutMs: 300 });
  const silent = await startReceiver(t, () => {});
  const endless = await startReceiver(t, (_request, response) => {
    response.writeHead(200).write('x'.repeat(100_000));
  });
  const unended = await startReceiver(t, (_request, response) => response.writeHead(200).flushHeaders());
  const closed = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => closed.once('listening', resolve));
  const { port } = closed.address() as { port: number };
  await new Promise((resolve) => closed.close(resolve));
  const hanging = await makeWebhook(silent.url);
  silent.secret = hanging.secret;
  const down = await makeWebhook(`http://localhost:${port}/?token=hush`);
  endless.secret = (await makeWebhook(endless.url)).secret;
  unended.secret = (await makeWebhook(unended.url)).secret;
  for (const service of ['a', 'b', 'c']) await allocate(service);
  await receiver.has(3);
  t.same(services(receiver.received), ['a', 'b', 'c']);
  await endless.has(3);
  await unended.has(3);
  await untilDeliveries(db, 'delivered', 9);
  await silent.has(2);
  const first = async (id: string) => (await request('GET', `/v1/webhooks/${id}/deliveries`)).body.items.at(-1);
  t.match(await first(hanging.id), { status: 'pending', error: 'The receiver did not answer within 0.3 s.' });
  t.match(await first(down.id), { status: 'pending', error: 'The connection failed: ECONNREFUSED.' });
  t.same(new Set(services(silent.received)), new Set(['a']), 'what is behind it waits');
});

t.test('what fails for too long is given up, with all that is as old', async (t) => {
  const options = { backoff: { waitsMs: [20], giveUpMs: 1500 } };
  const { db, allocate, request, receiver } = await open(t, answerWith(500), options);
  await allocate('a');
  await allocate('b');
  const rows = await untilDeliveries(db, 'failed', 2);
  t.ok((rows[0]?.attempts ?? 0) >= 2);
  t.equal(rows[0]?.error, 'The receiver answered 500.');
  receiver.answer = answerWith(200);
  await allocate('c');
  await untilDeliveries(db, 'delivered', 1);
  const { body } = await request('GET', `/v1/webhooks/${rows[0]?.webhook_id}/deliveries?status=failed`);
  t.equal(body.items.length, 2);
});

t.test('the metrics tell attempts by their outcome, and the age of the oldest that is pending', async (t) => {
  const outcomes: string[] = [];
  let oldest = 0;
  const observer = {
    ...unobserved,
    webhookAttempted: (outcome: string) => outcomes.push(outcome),
    webhooksPending: (seconds: number) => {
      oldest = Math.max(oldest, seconds);
    },
  };
  let failures = 1;
  const { db, allocate } = await open(t, (_request, response) => response.writeHead(failures-- > 0 ? 500 : 200).end(), {
    observer,
    backoff: { waitsMs: [200], giveUpMs: 60_000 },
  });
  await allocate('a');
  await untilDeliveries(db, 'delivered', 1);
  t.same(outcomes, ['failed', 'delivered']);
  t.ok(oldest > 0);
});

t.test('the metrics also tell of events whose deliveries cannot be written', async (t) => {
  let pending = 0;
  const observer = {
    ...unobserved,
    webhooksPending: (seconds: number) => {
      pending = seconds;
    },
  };
  const { db, allocate } = await open(t, answerWith(200), { observer });
  await sql`alter table webhook_deliveries add constraint refuse check (false) not valid`.execute(db);
  await allocate('a');
  await until(() => pending >= 1.5);
  await sql`alter table webhook_deliveries drop constraint refuse`.execute(db);
  await untilDeliveries(db, 'delivered', 1);
  await until(() => pending === 0);
  t.pass('and not any more when they were sent');
});

t.test('a webhook ends with the key that set its URL', async (t) => {
  const request = requester(await makeApp(t, await openPostgres(t), WITH_KEYS));
  const { id: keyId, key } = await makeKey(request, 'project', 'consilio');
  const wanted = { url: 'http://localhost:1/', projects: ['consilio'] };
  const { id } = (await request('POST', '/v1/webhooks', wanted, ADMIN)).body;
  await request('PATCH', `/v1/webhooks/${id}`, { description: 'x' }, bearer(key));
  t.equal((await request('PATCH', `/v1/webhooks/${id}`, { url: 'http://localhost:2/' }, bearer(key))).status, 200);
  await request('DELETE', `/v1/api-keys/${keyId}`, undefined, ADMIN);
  t.match((await request('GET', `/v1/webhooks/${id}`, undefined, ADMIN)).body, { enabled: false });
});

t.test('a webhook ends with the key that made it', async (t) => {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database, WITH_KEYS));
  const keys = [await makeKey(request, 'project', 'consilio'), await makeKey(request, 'project', 'consilio')] as const;
  const ids: string[] = [];
  for (const { key } of keys) {
    const { body } = await request(
      'POST',
      '/v1/webhooks',
      { url: 'http://localhost:1/', projects: ['consilio'] },
      bearer(key),
    );
    ids.push(body.id);
  }
  sendWebhooks(t, database, QUICK);
  await request('DELETE', `/v1/api-keys/${keys[0].id}`, undefined, ADMIN);
  const read = async (id?: string) => (await request('GET', `/v1/webhooks/${id}`, undefined, ADMIN)).body;
  t.match(await read(ids[0]), { enabled: false, disabledReason: 'The key that answers for it was revoked.' });
  t.match(await read(ids[1]), { enabled: true });
  await expireKey(database, keys[1].id);
  while ((await read(ids[1])).enabled) await new Promise((resolve) => setTimeout(resolve, 20));
  t.match(await read(ids[1]), { disabledReason: 'The key that answers for it has expired.' });
  t.match((await request('PATCH', `/v1/webhooks/${ids[0]}`, { enabled: true }, ADMIN)).body, { enabled: true });
});
