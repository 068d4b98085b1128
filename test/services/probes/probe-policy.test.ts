import { lookup } from 'node:dns/promises';
import t from 'tap';
import { type ConfigError, loadConfig } from '../../../src/config.js';
import { findForbiddenRange } from '../../../src/schemas/host.js';
import { Prober } from '../../../src/services/probes/prober.js';

const prober = (variables: Record<string, string>) => new Prober(loadConfig(variables));

t.test('addresses that are never probed, however they are written', async (t) => {
  const table: [address: string, range: string | null][] = [
    ['169.254.169.254', 'a link-local address'],
    ['fd00:ec2::254', 'the metadata address of AWS'],
    ['FD00:0EC2:0::254', 'the metadata address of AWS'],
    ['100.100.100.200', 'the metadata address of Alibaba Cloud'],
    ['::ffff:100.100.100.200', 'the metadata address of Alibaba Cloud'],
    ['168.63.129.16', "the address of Azure's platform"],
    ['64:ff9b::168.63.129.16', "the address of Azure's platform"],
    ['2002:a83f:8110::1', "the address of Azure's platform"],
    ['fd00:ec2::253', null],
    ['100.100.100.201', null],
    ['fe80::1', 'a link-local address'],
    ['fe80::1%eth0', 'a link-local address'],
    ['::ffff:169.254.169.254', 'a link-local address'],
    ['::ffff:a9fe:a9fe', 'a link-local address'],
    ['::ffff:0:169.254.169.254', 'a link-local address'],
    ['64:ff9b::169.254.169.254', 'a link-local address'],
    ['2002:a9fe:a9fe::1', 'a link-local address'],
    ['224.0.0.1', 'a multicast address'],
    ['239.255.255.250', 'a multicast address'],
    ['ff02::1', 'a multicast address'],
    ['::ffff:224.0.0.1', 'a multicast address'],
    ['0.0.0.0', 'an unspecified address'],
    ['0.1.2.3', 'an unspecified address'],
    ['::', 'an unspecified address'],
    ['::ffff:0.0.0.0', 'an unspecified address'],
    ['255.255.255.255', 'a broadcast address'],
    ['127.0.0.1', null],
    ['::1', null],
    ['10.0.0.5', null],
    ['192.168.1.1', null],
    ['2001:db8::1', null],
    ['64:ff9b::10.0.0.5', null],
  ];
  for (const [address, range] of table) t.equal(findForbiddenRange(address), range, address);
});

t.test('localhost is probed on both its addresses', async (t) => {
  t.same((await prober({}).resolve('localhost')).addresses, ['127.0.0.1', '::1']);
});

t.test(
  'a name below localhost is this machine without a look-up, once it is allowed, unless it has a target',
  async (t) => {
    const addresses = ['127.0.0.1', '::1'];
    const variables = {
      PROBE_ALLOWED_HOSTS: 'App.localhost.',
      PROBE_TARGETS: 'web=a.b.localhost, db.localhost=127.0.0.7',
    };
    t.same(await prober(variables).resolve('app.localhost'), { host: 'app.localhost', addresses, error: null });
    t.same(await prober(variables).resolve('web'), { host: 'web', addresses, error: null });
    t.same((await prober(variables).resolve('db.localhost')).addresses, ['127.0.0.7']);
    await t.rejects(prober(variables).resolve('web.localhost'), { code: 'not-probeable' });
    const other = prober({ PROBE_ALLOWED_HOSTS: 'notlocalhost' });
    t.same((await other.resolve('notlocalhost')).addresses, []);
  },
);

t.test('other hosts are not probed, and the refusal says how to allow them', async (t) => {
  for (const host of ['example.com', '10.0.0.5', '2001:db8::1']) {
    await t.rejects(prober({}).resolve(host), { code: 'not-probeable', message: /PROBE_ALLOWED_HOSTS/ });
  }
});

t.test('the refusal does not advise to allow a host that the configuration would not accept', async (t) => {
  const refusal = (await prober({})
    .resolve('169.254.169.254')
    .catch((error) => error)) as Error & { code: string };
  t.match(refusal, { code: 'not-probeable', message: /link-local.*never probed.*PROBE_TARGETS/ });
  t.notMatch(refusal.message, /PROBE_ALLOWED_HOSTS/);
});

t.test('an allowed host is probed, and if a host has a target, the target is probed instead', async (t) => {
  t.same((await prober({ PROBE_ALLOWED_HOSTS: '10.0.0.5, db' }).resolve('10.0.0.5')).addresses, ['10.0.0.5']);
  const targets = prober({ PROBE_TARGETS: 'localhost=127.0.0.7, WEB=[::1], api=localhost' });
  t.same((await targets.resolve('localhost')).addresses, ['127.0.0.7']);
  t.same((await targets.resolve('api')).addresses, ['127.0.0.1', '::1']);
  await t.rejects(targets.resolve('127.0.0.7'), { code: 'not-probeable' });
});

t.test('a name is resolved once, to the address that is used', async (t) => {
  const { address } = await lookup('localhost');
  t.same((await prober({ PROBE_TARGETS: 'web=localhost.' }).resolve('web')).addresses, ['127.0.0.1', '::1']);
  const resolved = await prober({ PROBE_ALLOWED_HOSTS: 'ip6-localhost' }).resolve('ip6-localhost');
  t.ok(resolved.addresses.length <= 1, address);
});

t.test('the ports of a name that does not resolve are unreachable', async (t) => {
  const policy = prober({ PROBE_ALLOWED_HOSTS: 'nowhere.invalid' });
  const destination = await policy.resolve('nowhere.invalid');
  t.same(destination.addresses, []);
  t.match(await policy.probe(destination, 3000), { outcome: 'unreachable', error: /nowhere\.invalid/ });
});

t.test('all bad variables are reported at once', async (t) => {
  const problems = problemsOf({
    PROBE_TIMEOUT_MS: '0',
    PROBE_CONCURRENCY: 'many',
    PROBE_TARGETS: 'localhost, a=b=c, x=, meta=169.254.169.254',
    PROBE_ALLOWED_HOSTS: 'a b, ff02::1',
    AUDIT_SCHEDULE: 'now and then',
    HEALTH_CHECK_RETENTION_DAYS: '0',
    HISTORY_RETENTION_DAYS: '-1',
  });
  t.match(problems, [
    /^PROBE_TIMEOUT_MS: "0"/,
    /^PROBE_CONCURRENCY: "many"/,
    /^HEALTH_CHECK_RETENTION_DAYS: "0"/,
    /^HISTORY_RETENTION_DAYS: "-1"/,
    /^PROBE_TARGETS: "localhost" is not of the form host=target/,
    /^PROBE_TARGETS: "a=b=c"/,
    /^PROBE_TARGETS: "x="/,
    /^PROBE_TARGETS: "169.254.169.254" is a link-local address/,
    /^PROBE_ALLOWED_HOSTS: "a b"/,
    /^PROBE_ALLOWED_HOSTS: "ff02::1" is a multicast address/,
    /^AUDIT_SCHEDULE: "now and then" is no cron expression/,
  ]);
  t.match(problemsOf({ AUDIT_SCHEDULE: '0 0 30 2 *' }), [/never comes round/]);
  t.equal(loadConfig({ AUDIT_SCHEDULE: 'off' }).auditSchedule, null);
  t.equal(loadConfig({}).auditSchedule, null);
  t.equal(loadConfig({}).historyRetentionDays, null);
});

function problemsOf(variables: Record<string, string>): string[] {
  try {
    loadConfig(variables);
    return [];
  } catch (error) {
    return (error as ConfigError).problems;
  }
}
