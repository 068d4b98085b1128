// Every operation of the contract and every MCP tool: whoever changes something is named in the events of the change.
import { type Test, test } from 'tap';
import type { Actor } from '../../../src/access/actor.js';
import type { Database } from '../../../src/database/connect.js';
import { findEventsAfter, moveNewEvents } from '../../../src/repositories/events/events.js';
import { type Fixture, operations, toolUses } from '../../helpers/access-cases.js';
import { makeApp, requester } from '../../helpers/app.js';
import { openEmbedded, openPostgres } from '../../helpers/database.js';
import { ADMIN, WITH_KEYS } from '../../helpers/keys.js';

const NOBODY = '00000000-0000-4000-8000-000000000000';
const READER_OF_FEED = 'urn:test';

/** What has happened since it was last called: each type with who did it. */
function openReader({ db }: Database) {
  let position = 0;
  return async (): Promise<{ type: string; actor: Actor }[]> => {
    await moveNewEvents(db);
    const events = await findEventsAfter(db, position, 1000, READER_OF_FEED);
    position = events.at(-1)?.position ?? position;
    return events.map(({ event }) => ({ type: event.type, actor: event.data.actor }));
  };
}

test('every change over REST and MCP names the key and the program that made it', async (t: Test) => {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database, WITH_KEYS));
  const read = openReader(database);
  const headers = { ...ADMIN, 'user-agent': 'deploy/1.2' };
  const send = async (method: 'PUT' | 'POST' | 'DELETE', path: string, body?: object) =>
    (await request(method, path, body, headers)).body;

  const makeFixture = async (): Promise<Fixture> => {
    await send('DELETE', '/v1/projects/consilio/environments/default');
    const allocation = await send('PUT', '/v1/projects/consilio/services/hush', { description: 'hush' });
    const reservation = await send('POST', '/v1/projects/consilio/reservations', { ttlSeconds: 600, service: 'hush' });
    await send('DELETE', '/v1/ranges/20000');
    const range = await send('POST', '/v1/ranges', { project: 'consilio', startPort: 20000 });
    const audit = await send('POST', '/v1/audits', { project: 'consilio' });
    const apiKey = await send('POST', '/v1/api-keys', { name: 'x', role: 'reader' });
    const webhook = await send('POST', '/v1/webhooks', { url: 'http://localhost:1/', projects: ['consilio'] });
    return {
      webhook: webhook.id,
      delivery: NOBODY,
      allocation: allocation.id,
      reservation: reservation.id,
      audit: audit.id,
      apiKey: apiKey.id,
      emptyRange: range.startPort,
    };
  };

  const seen = new Set<string>();
  const expectNamed = async (what: string, client: string) => {
    for (const { type, actor } of await read()) {
      seen.add(type);
      t.strictSame(actor, { kind: 'key', keyId: 'ADMIN_API_KEY', name: 'ADMIN_API_KEY', client }, `${what}: ${type}`);
    }
  };
  await read();
  let fixture: Fixture | null = null;
  for (const [name, { method, path, body }] of Object.entries(operations)) {
    fixture ??= await makeFixture();
    await request(method, path(fixture), body, headers);
    if (method !== 'GET') fixture = null; // it may have changed
    await expectNamed(name, 'deploy/1.2');
  }
  for (const [name, { input }] of Object.entries(toolUses)) {
    const fixture = await makeFixture();
    await expectNamed('the fixture', 'deploy/1.2');
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input(fixture) } };
    await request('POST', '/mcp', message, {
      ...ADMIN,
      'user-agent': 'agent/3',
      accept: 'application/json, text/event-stream',
    });
    await expectNamed(name, 'agent/3');
  }
  for (const noun of ['allocation', 'reservation', 'range', 'excluded-port', 'api-key', 'audit', 'webhook']) {
    t.ok(
      [...seen].some((type) => type.startsWith(`${noun}.`)),
      `something happened to a ${noun}`,
    );
  }
});

for (const [name, open] of Object.entries({ PostgreSQL: openPostgres, embedded: openEmbedded })) {
  test(`callers whose calls share a transaction are told apart, on ${name}`, async (t: Test) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database));
    const path = (client: number) => `/v1/projects/consilio/services/web-${client}`;
    const clients = Array.from({ length: 40 }, (_, client) => client);
    const headers = (client: number) => ({ 'user-agent': `client-${client}` });
    await Promise.all(clients.map((client) => request('PUT', path(client), undefined, headers(client))));
    await Promise.all(
      clients.map((client) => request('PUT', path(client), { description: 'x' }, headers(client + 100))),
    );
    await Promise.all(clients.map((client) => request('DELETE', path(client), undefined, headers(client + 200))));
    await moveNewEvents(database.db);
    const events = (await findEventsAfter(database.db, 0, 1000, READER_OF_FEED)).filter(({ event }) =>
      event.type.startsWith('allocation.'),
    );
    const told = events.map(
      ({ event }) => `${event.data.allocation?.service} ${event.type} by ${event.data.actor.client}`,
    );
    const expected = (type: string, offset: number) =>
      clients.map((client) => `web-${client} allocation.${type} by client-${client + offset}`);
    t.same(told.sort(), [...expected('created', 0), ...expected('updated', 100), ...expected('released', 200)].sort());
  });
}
