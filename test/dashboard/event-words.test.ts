// What the page says of the events of the change feed.
import t from 'tap';
import { eventTypes } from '../../src/schemas/events/event-types.js';
import { importOfDashboard } from '../helpers/dashboard-module.js';

interface Words {
  sentence: unknown[];
  changes: { field: string; before?: unknown; after?: unknown }[];
  by: unknown[];
}

const { describeEvent } = await importOfDashboard<{ describeEvent(event: object): Words }>('events/words.ts');
const { textOf } = await importOfDashboard<{ textOf(parts: unknown[]): string }>('events/parts.ts');

const key = { kind: 'key', keyId: 'k', name: 'deploy-consilio', client: 'curl/8.5.0' };
const service = { kind: 'service', keyId: null, name: null, client: null };
const nobody = { kind: 'anonymous', keyId: null, name: null };
const allocation = {
  port: 3102,
  host: 'localhost',
  protocol: 'tcp',
  project: 'consilio',
  service: 'api',
  environment: 'default',
  description: 'The API',
};
const reservation = {
  port: 3140,
  host: 'build-1',
  protocol: 'udp',
  project: 'consilio',
  service: null,
  expiresAt: '2026-11-28T16:00:00.000Z',
};
const environment = { project: 'consilio', environment: 'feature', expiresAfterSeconds: 604_800, onExpiry: 'release' };
const webhook = { url: 'http://localhost:3105', types: [], disabledAt: null, disabledReason: null };
const range = { startPort: 3100, endPort: 3199, project: 'consilio', description: null };
const excludedPort = { port: 3190, reason: 'taken by the printer' };
const apiKey = { name: 'ci', role: 'project', projects: ['consilio', 'odin'] };

const describe = (type: string, data: object, subject = 'things/1') =>
  describeEvent({ type, subject, project: 'consilio', data: { actor: key, ...data } });
const tell = (type: string, data: object) => {
  const { sentence, by } = describe(type, data);
  return [textOf(sentence), textOf(by)].filter(Boolean).join(' | ');
};

/** An event of each type, and what is said of it. */
const TOLD: Record<(typeof eventTypes)[number], [data: object, told: string]> = {
  'allocation.created': [{ allocation }, 'Key deploy-consilio allocated 3102 to consilio/api | With curl/8.5.0'],
  'allocation.updated': [
    { allocation, changed: ['description'], previous: { description: null } },
    'Key deploy-consilio changed the details of 3102, consilio/api | With curl/8.5.0',
  ],
  'allocation.released': [
    { allocation: { ...allocation, environment: 'staging' } },
    'Key deploy-consilio released 3102 of consilio/api (environment staging) | With curl/8.5.0',
  ],
  'reservation.created': [
    { reservation },
    'Key deploy-consilio reserved 3140/UDP on build-1 for consilio until 2026-11-28T16:00:00.000Z | With curl/8.5.0',
  ],
  'reservation.renewed': [
    { actor: service, reservation },
    'The service renewed the reservation of 3140/UDP on build-1 for consilio until 2026-11-28T16:00:00.000Z',
  ],
  'reservation.cancelled': [
    { actor: service, reservation },
    'The service cancelled the reservation of 3140/UDP on build-1 for consilio',
  ],
  'reservation.claimed': [
    { actor: service, reservation: { ...reservation, service: 'api' } },
    'The service claimed 3140/UDP on build-1, which was reserved for consilio/api',
  ],
  'reservation.expired': [
    { actor: service, reservation },
    'The service ended the reservation of 3140/UDP on build-1 for consilio: it has expired',
  ],
  'range.created': [{ actor: service, range }, 'The service gave consilio the range 3100–3199'],
  'range.changed': [{ actor: service, range }, 'The service changed the range 3100–3199 of consilio'],
  'range.deleted': [{ actor: service, range }, 'The service deleted the range 3100–3199 of consilio'],
  'service.up': [{ actor: service, allocation }, 'consilio/api came up on 3102'],
  'service.down': [
    { allocation },
    'consilio/api went down: nothing listens on 3102 any more | Found by key deploy-consilio with curl/8.5.0',
  ],
  'audit.finished': [
    { actor: service, audit: { project: null, host: 'localhost', checkedPorts: 1, inUse: 1, notRunning: 0 } },
    'The service audited everything on localhost: 1 port checked, 1 in use, 0 not running',
  ],
  'api-key.created': [{ actor: service, apiKey }, 'The service made the key ci (project of consilio, odin)'],
  'api-key.changed': [{ actor: service, apiKey }, 'The service changed the key ci (project of consilio, odin)'],
  'api-key.revoked': [
    { actor: service, apiKey: { name: 'eyes', role: 'reader', projects: [] } },
    'The service revoked the key eyes (reader)',
  ],
  'environment.changed': [
    { actor: service, environment },
    'The service let the environment feature of consilio expire after 7 days without use, to be released then',
  ],
  'environment.due': [
    { actor: service, environment: { ...environment, ports: 3, expiresAt: '2026-11-28T16:00:00.000Z' } },
    'The environment feature of consilio expires on 2026-11-28T16:00:00.000Z, unless it is used: 3 ports will be released',
  ],
  'environment.released': [
    { actor: service, environment: { environment: 'feature', ports: 3, host: null, protocol: 'tcp' } },
    'The service released the environment feature of consilio: 3 ports, TCP',
  ],
  'excluded-port.added': [{ actor: service, excludedPort }, 'The service excluded 3190: taken by the printer'],
  'excluded-port.changed': [{ actor: service, excludedPort }, 'The service changed why 3190 is excluded'],
  'excluded-port.removed': [{ actor: service, excludedPort }, 'The service took 3190 from the excluded ports'],
  'webhook.created': [{ actor: service, webhook }, 'The service made the webhook http://localhost:3105'],
  'webhook.changed': [
    { actor: service, webhook: { ...webhook, disabledAt: '2026-11-28T16:00:00.000Z' }, changed: ['disabledAt'] },
    'The service switched off the webhook http://localhost:3105',
  ],
  'webhook.deleted': [{ actor: service, webhook }, 'The service deleted the webhook http://localhost:3105'],
};

t.test('every type of event is told in a sentence', async (t) => {
  for (const type of eventTypes) t.equal(tell(type, TOLD[type][0]), TOLD[type][1], type);
});

t.test('who has no key is called by the program', async (t) => {
  const by = (client: string | null) => tell('range.deleted', { actor: { ...nobody, client }, range });
  const said = 'deleted the range 3100–3199 of consilio';
  t.equal(by('curl/8.5.0'), `curl/8.5.0 ${said}`);
  t.equal(by(null), `Somebody ${said}`);
  t.equal(by('Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/143.0.0.0 Safari/537.36'), `Somebody in Chrome ${said}`);
  t.equal(
    by('Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/143.0.0.0 Safari/537.36 Edg/143.0'),
    `Somebody in Edge ${said}`,
  );
  const sql = { kind: 'sql', keyId: null, name: 'postgres', client: 'psql' };
  t.equal(tell('range.deleted', { actor: sql, range }), `postgres (in the database) ${said} | With psql`);
});

t.test('what was changed is told with what it was before', async (t) => {
  const { changes } = describe('allocation.updated', {
    allocation: { ...allocation, cloudflareHostname: null },
    changed: ['description', 'cloudflareHostname', 'metadata'],
    previous: { description: null, cloudflareHostname: 'www.example.com' },
  });
  t.same(changes, [
    { field: 'description', before: null, after: { text: 'The API' } },
    { field: 'hostname', before: { text: 'www.example.com' }, after: null },
    { field: 'metadata', before: undefined, after: undefined },
  ]);
  const switched = describe('webhook.changed', {
    webhook,
    changed: ['types', 'disabledAt', 'disabledReason'],
    previous: { types: ['service.down'], disabledAt: '2026-11-28T16:00:00.000Z', disabledReason: 'It answered 410.' },
  });
  t.match(textOf(switched.sentence), /switched on the webhook/);
  t.same(switched.changes, [
    { field: 'events', before: { text: 'service.down' }, after: { text: 'all' } },
    { field: 'reason', before: { text: 'It answered 410.' }, after: null },
  ]);
});

t.test('what a newer service tells is said by its own name, and of whom as far as that is known', async (t) => {
  const did = 'did what this page has no words for yet: range.split, things/1';
  t.equal(tell('range.split', {}), `Key deploy-consilio ${did} | With curl/8.5.0`);
  t.equal(tell('range.split', { actor: { kind: 'person', name: 'Kim', client: null } }), `Kim ${did}`);
  t.equal(tell('range.split', { actor: { kind: 'person', name: null, client: null } }), `Person ${did}`);
});
