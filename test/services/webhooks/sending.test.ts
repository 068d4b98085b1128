// What a receiver gets, on both databases.
import t from 'tap';
import { moveNewEvents } from '../../../src/repositories/events/events.js';
import { makeApp, requester } from '../../helpers/app.js';
import { databases } from '../../helpers/database.js';
import { startReceiver } from '../../helpers/receiver.js';
import { sendWebhooks, untilDeliveries } from '../../helpers/webhooks.js';

for (const [name, open] of databases) {
  t.test(`events are sent to webhooks, on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database));
    const allocate = (project: string, service: string) =>
      request('PUT', `/v1/projects/${project}/services/${service}`);
    await allocate('consilio', 'before');
    const receiver = await startReceiver(t);
    const { body: webhook } = await request('POST', '/v1/webhooks', {
      url: `${receiver.url}?token=hush`,
      types: ['allocation.created', 'allocation.released'],
      projects: ['consilio', 'odin'],
    });
    receiver.secret = webhook.secret;
    sendWebhooks(t, database);

    t.test('each one that it asked for and no other, signed, and as the feed has it', async (t) => {
      await allocate('consilio', 'web');
      await allocate('ground-control', 'web');
      await allocate('odin', 'web');
      await request('POST', '/v1/projects/consilio/reservations', { ttlSeconds: 60 });
      await request('DELETE', '/v1/projects/consilio/services/web');
      await receiver.has(3);
      await untilDeliveries(database.db, 'delivered', 3);
      t.equal(receiver.received.length, 3, 'and no more');
      t.equal(receiver.refused, 0, 'every signature is valid');
      const told = receiver.received.map(({ event }) => `${event.type} ${event.project}`);
      t.same(told.sort(), ['allocation.created consilio', 'allocation.created odin', 'allocation.released consilio']);
      const ofConsilio = receiver.received.filter(({ event }) => event.project === 'consilio');
      t.same(
        ofConsilio.map(({ event }) => event.type),
        ['allocation.created', 'allocation.released'],
        'in their order',
      );
      const [first] = ofConsilio;
      t.equal(first?.path, '/events?token=hush');
      t.equal(first?.headers['content-type'], 'application/cloudevents+json');
      t.match(first?.event, {
        specversion: '1.0',
        source: 'urn:port-allocator',
        data: { actor: { keyId: null }, allocation: { service: 'web', port: 3101 } },
      });
    });

    t.test('they are listed, newest first, page after page, and each can be sent again', async (t) => {
      const path = `/v1/webhooks/${webhook.id}/deliveries`;
      const { body: page } = await request('GET', `${path}?limit=2`);
      t.match(
        page.items.map((delivery: object) => delivery),
        [
          { type: 'allocation.released', project: 'consilio', status: 'delivered', attempts: 1, responseStatus: 204 },
          { type: 'allocation.created', project: 'odin', error: null, nextAttemptAt: null },
        ],
      );
      const { body: rest } = await request('GET', `${path}?limit=2&cursor=${page.nextCursor}`);
      t.equal(rest.items.length, 1);
      t.equal(rest.nextCursor, null);
      t.same((await request('GET', `${path}?status=failed`)).body.items, []);
      t.equal((await request('GET', `${path}?status=delivered`)).body.items.length, 3);

      const [delivery] = rest.items;
      const { status, body } = await request('POST', `${path}/${delivery.id}/repeat`);
      t.equal(status, 200);
      t.match(body, { id: delivery.id, status: 'pending', attempts: 0 });
      await receiver.has(4);
      t.equal(receiver.received[3]?.id, delivery.id, 'with the same webhook-id');
      t.same(receiver.received[3]?.event, receiver.received.find(({ id }) => id === delivery.id)?.event);
    });

    t.test('while it is switched off nothing is sent, and afterwards nothing of that time', async (t) => {
      await untilDeliveries(database.db, 'delivered', 3);
      const before = receiver.received.length;
      const off = await request('PATCH', `/v1/webhooks/${webhook.id}`, { enabled: false });
      t.match(off.body, { enabled: false, disabledReason: 'It was switched off by request.' });
      await allocate('consilio', 'unseen');
      const { body } = await request('PATCH', `/v1/webhooks/${webhook.id}`, { enabled: true });
      t.match(body, { enabled: true, disabledAt: null, disabledReason: null });
      await allocate('consilio', 'seen');
      await receiver.has(before + 1);
      await untilDeliveries(database.db, 'delivered', 4);
      t.equal(receiver.received.at(-1)?.event.data.allocation.service, 'seen');
    });

    t.test('what is said of webhooks in the feed has neither the secret nor the path of the URL', async (t) => {
      const { body: other } = await request('POST', '/v1/webhooks', { url: 'http://localhost:1/hush?hush=1' });
      await request('PATCH', `/v1/webhooks/${other.id}`, { url: 'http://localhost:2/hush', types: ['range.created'] });
      t.equal((await request('DELETE', `/v1/webhooks/${other.id}`)).status, 204);
      await moveNewEvents(database.db);
      const rows = await database.db.selectFrom('events').select(['type', 'data']).orderBy('position').execute();
      const all = rows.filter(({ type }) => type.startsWith('webhook.'));
      t.ok(all.length >= 5);
      t.notMatch(JSON.stringify(all), /hush|whsec|secret/);
      const changed = all.filter(({ type }) => type === 'webhook.changed').at(-1);
      t.match(changed?.data, {
        changed: ['url', 'types'],
        previous: { url: 'http://localhost:1', types: [] },
        webhook: { url: 'http://localhost:2', types: ['range.created'] },
      });
    });
  });
}
