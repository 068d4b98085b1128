// Where webhooks may lead: to what may be probed, as it is resolved at each attempt.
import t from 'tap';
import { Destinations } from '../../../src/services/webhooks/destination.js';
import { makeApp, requester } from '../../helpers/app.js';
import { openPostgres } from '../../helpers/database.js';
import { startDnsServer } from '../../helpers/dns-server.js';
import { startReceiver } from '../../helpers/receiver.js';
import { sendWebhooks, untilDeliveries } from '../../helpers/webhooks.js';

const METADATA = '169.254.169.254';
const NO_FILES = { hostsFile: '/nowhere', resolvConf: '/nowhere' };

t.test('URLs that are refused when a webhook is made', async (t) => {
  const known: Record<string, string> = { 'hooks.test': '127.0.0.1', 'evil.test': METADATA };
  const { address } = await startDnsServer(t, known);
  const probeAllowedHosts = ['hooks.test', 'evil.test', 'gone.test', METADATA, '10.0.0.7'];
  const destinations = new Destinations(
    { probeAllowedHosts, probeTargets: new Map() },
    { ...NO_FILES, servers: [address] },
  );
  const codeOf = (url: string) =>
    destinations.require(url).then(
      (stored) => stored,
      (error) => error.code,
    );
  t.equal(await codeOf('http://[::1]:3105/events'), 'http://[::1]:3105/events');
  t.equal(await codeOf('HTTPS://Hooks.Test/a?b'), 'https://hooks.test/a?b');
  t.equal(await codeOf('http://10.0.0.7/'), 'http://10.0.0.7/');
  t.equal(await codeOf('http://gone.test/'), 'http://gone.test/', 'the name may come');
  for (const url of ['http://other.test/', 'http://10.0.0.8/', 'http://2130706433.example/', `http://${METADATA}/`]) {
    t.equal(await codeOf(url), 'destination-not-allowed', url);
  }
  for (const url of ['http://evil.test/latest', `http://[::ffff:${METADATA}]/`, 'http://0xa9fea9fe/']) {
    t.equal(await codeOf(url), 'destination-not-allowed', url);
  }
  for (const url of [
    'ftp://localhost/',
    'http://a:b@localhost/',
    'http://a@localhost/',
    'http://localhost/#x',
    `http://localhost/${'é'.repeat(400)}`,
    'x',
    '',
  ]) {
    t.equal(await codeOf(url), 'validation-failed', url);
  }
});

t.test('names that are not looked up in time are accepted, however many there are', async (t) => {
  const { address } = await startDnsServer(t, {}, () => true);
  const destinations = new Destinations(
    { probeAllowedHosts: ['silent.test'], probeTargets: new Map() },
    { ...NO_FILES, servers: [address] },
  );
  const urls = Array.from({ length: 100 }, (_, index) => `http://silent.test/${index}`);
  t.same(await Promise.all(urls.map((url) => destinations.require(url))), urls);
});

t.test('a name that leads to a forbidden address later is refused by each attempt', async (t) => {
  const database = await openPostgres(t);
  const receiver = await startReceiver(t);
  const known: Record<string, string> = { 'hooks.test': '127.0.0.1' };
  const { address, asked } = await startDnsServer(t, known);
  const variables = { PROBE_ALLOWED_HOSTS: 'hooks.test' };
  // The address of `hooks.test` is looked up by the app with the system's resolver, which does not know it.
  const request = requester(await makeApp(t, database, variables));
  const url = `http://hooks.test:${receiver.port}/events?token=hush`;
  const { body: webhook } = await request('POST', '/v1/webhooks', { url, types: ['allocation.created'] });
  receiver.secret = webhook.secret;
  sendWebhooks(t, database, { variables, sources: { ...NO_FILES, servers: [address] } });

  await request('PUT', '/v1/projects/consilio/services/a');
  await receiver.has(1);
  t.equal(receiver.received[0]?.headers.host, `hooks.test:${receiver.port}`);
  t.ok(asked.includes('hooks.test'));
  await untilDeliveries(database.db, 'delivered', 1);

  known['hooks.test'] = METADATA;
  await request('PUT', '/v1/projects/consilio/services/b');
  let [row] = await untilDeliveries(database.db, 'pending', 1);
  while (row?.error === null) [row] = await untilDeliveries(database.db, 'pending', 1);
  t.match(row?.error, `hooks.test leads to ${METADATA}, a link-local address`);
  t.notMatch(row?.error, 'hush');
  t.equal(receiver.received.length, 1, 'also not over the connection that is still open');

  known['hooks.test'] = '127.0.0.1';
  await receiver.has(2);
  await untilDeliveries(database.db, 'delivered', 2);
});
