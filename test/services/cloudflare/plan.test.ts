import fc from 'fast-check';
import t from 'tap';
import { type Plan, plan } from '../../../src/services/cloudflare/plan.js';
import { type DnsRecord, isMarked, MARK, type Remote, type Rule } from '../../../src/services/cloudflare/remote.js';
import { covers } from '../../../src/services/cloudflare/rule-order.js';
import type { Remembered, Route } from '../../../src/services/cloudflare/situation.js';

const TUNNEL = 'f70ff985-a4ef-4643-bbbc-4a0ed4fc8415';
const TARGET = `${TUNNEL}.cfargotunnel.com`;
const zones = [
  { id: 'z1', name: 'example.com' },
  { id: 'z2', name: 'dev.example.com' },
];
const remoteOf = (ingress: Rule[], records: DnsRecord[] = []): Remote => ({
  tunnelId: TUNNEL,
  version: 7,
  config: { ingress, 'warp-routing': { enabled: true }, originRequest: { connectTimeout: 5 } },
  zones,
  records,
});
const markedRecord = (name: string): DnsRecord => ({
  id: `id-${name}`,
  zoneId: 'z1',
  type: 'CNAME',
  name,
  content: TARGET,
  proxied: true,
  comment: MARK,
});
const CATCH_ALL = { service: 'http_status:404' };
const nothing: Remembered = new Map();
const lines = ({ changes }: Plan) => changes.map(({ action, kind, hostname }) => `${action} ${kind} ${hostname}`);

t.test('the comment fits into every plan of Cloudflare', async (t) => {
  t.ok(MARK.length <= 100);
});

t.test(
  'a tunnel without a configuration gets rules and a catch-all, and none of them if there is nothing',
  async (t) => {
    const empty = { ...remoteOf([]), config: null };
    const made = plan([{ hostname: 'shop.example.com', service: 'http://localhost:3100' }], empty, nothing);
    t.strictSame(made.config, {
      ingress: [{ hostname: 'shop.example.com', service: 'http://localhost:3100' }, CATCH_ALL],
    });
    t.strictSame(lines(made), ['create rule shop.example.com', 'create record shop.example.com']);
    t.match(plan([], empty, nothing), { config: null, changes: [] });
  },
);

t.test('rules of others stay, and ours change only while they are as they were written', async (t) => {
  const others = [
    { hostname: 'a.example.com', service: 'http://10.0.0.1:80', originRequest: { noTLSVerify: true } },
    { hostname: 'b.example.com', path: '/api', service: 'http://10.0.0.2:80' },
    { hostname: '*.example.com', service: 'http://10.0.0.3:80' },
  ];
  const ours = { hostname: 'shop.example.com', service: 'http://localhost:3100', originRequest: {} };
  const remote = remoteOf([ours, ...others, CATCH_ALL], [markedRecord('shop.example.com')]);
  const remembered = new Map([['shop.example.com', ['http://localhost:3100']]]);
  const wanted = [
    { hostname: 'shop.example.com', service: 'http://localhost:3200' },
    { hostname: 'a.example.com', service: 'http://localhost:3300' },
    { hostname: '*.dev.example.com', service: 'http://localhost:3400' },
    { hostname: 'shop.elsewhere.org', service: 'http://localhost:3500' },
  ];
  const made = plan(wanted, remote, remembered);
  t.strictSame(made.config, {
    ...remote.config,
    ingress: [
      { hostname: 'shop.example.com', service: 'http://localhost:3200' },
      others[0],
      others[1],
      { hostname: '*.dev.example.com', service: 'http://localhost:3400' },
      others[2],
      CATCH_ALL,
    ],
  });
  t.strictSame(lines(made), [
    'update rule shop.example.com',
    'create rule *.dev.example.com',
    'create record *.dev.example.com',
  ]);
  t.strictSame(made.creations, [{ hostname: '*.dev.example.com', zoneId: 'z2' }]);
  t.match(made.conflicts, [
    { kind: 'outside-zones', hostname: 'shop.elsewhere.org' },
    { kind: 'rule-of-others', hostname: 'a.example.com' },
  ]);

  const changed = remoteOf([{ ...ours, path: '/x' }, CATCH_ALL]);
  const left = plan([], changed, remembered);
  t.match(left, {
    changes: [],
    config: null,
    forgotten: ['shop.example.com'],
    conflicts: [{ kind: 'rule-of-others' }],
  });
});

t.test('a record with the mark that this registry did not make is told, and stays', async (t) => {
  const made = plan([], remoteOf([], [markedRecord('old.example.com')]), nothing);
  t.match(made, { deletions: [], conflicts: [{ kind: 'unknown-record', hostname: 'old.example.com' }] });
});

t.test('a rule that is right is taken over where the record has the mark', async (t) => {
  const route = { hostname: 'shop.example.com', service: 'http://localhost:3100' };
  const rules = [{ hostname: route.hostname, service: route.service }, CATCH_ALL];
  t.match(plan([route], remoteOf(rules, [markedRecord(route.hostname)]), nothing), { conflicts: [], changes: [] });
  t.match(plan([route], remoteOf(rules), nothing), { conflicts: [{ kind: 'rule-of-others' }], changes: [] });
});

t.test('our rule stays behind those of others for paths of its hostname', async (t) => {
  const ours = { hostname: 'shop.example.com', service: 'http://localhost:3100' };
  const path = { hostname: 'shop.example.com', path: '/api', service: 'http://10.0.0.2:80' };
  const another = { hostname: 'b.example.com', service: 'http://10.0.0.3:80' };
  const wildcard = { hostname: '*.example.com', service: 'http://10.0.0.4:80' };
  const records = [markedRecord('shop.example.com')];
  const remembered = new Map([['shop.example.com', [ours.service]]]);
  const planned = (ingress: Rule[], routes = [ours]) => plan(routes, remoteOf(ingress, records), remembered);
  for (const rules of [
    [path, ours, another],
    [path, ours, wildcard],
    [ours, wildcard, path],
  ]) {
    t.match(planned([...rules, CATCH_ALL]), { changes: [], conflicts: [], config: null });
  }

  const moved = planned([ours, another, path, CATCH_ALL]);
  t.strictSame(moved.config?.ingress, [another, path, ours, CATCH_ALL]);
  t.strictSame(lines(moved), ['move rule shop.example.com']);
  t.strictSame(planned([path, another, CATCH_ALL]).config?.ingress, [path, ours, another, CATCH_ALL]);
  const gone = planned([path, ours, CATCH_ALL], []);
  t.strictSame(gone.config?.ingress, [path, CATCH_ALL]);
  t.match(gone.conflicts, [{ kind: 'rule-of-others', detail: /made or changed/ }]);
});

t.test('a last rule for * is the one that matches all', async (t) => {
  const catchAll = { hostname: '*', service: 'http_status:503' };
  const route = { hostname: 'shop.example.com', service: 'http://localhost:3100' };
  t.strictSame(plan([route], remoteOf([catchAll]), nothing).config?.ingress, [route, catchAll]);
});

// Random states

const hostname = fc.constantFrom(
  ...['a', 'b', 'c', 'x.dev', '*', '*.dev', '*.x.dev'].map((name) => `${name}.example.com`),
  'example.com',
  'other.org',
);
const service = fc.constantFrom('http://localhost:3100', 'http://localhost:3101', 'https://10.0.0.7:443');
const rule: fc.Arbitrary<Rule> = fc.record(
  {
    hostname: fc.oneof(hostname, fc.constantFrom('', '*')),
    service,
    path: fc.constantFrom('', '/api'),
    originRequest: fc.constantFrom({}, { noTLSVerify: true }),
  },
  { requiredKeys: ['hostname', 'service'] },
);
const record: fc.Arbitrary<DnsRecord> = fc.record({
  id: fc.uuid(),
  zoneId: fc.constantFrom('z1', 'z2'),
  type: fc.constantFrom('CNAME', 'A', 'TXT'),
  name: hostname,
  content: fc.constantFrom(TARGET, 'elsewhere.example.net'),
  proxied: fc.boolean(),
  comment: fc.constantFrom(MARK, 'mine', null),
});
const catchAll = fc.constantFrom<Rule>(CATCH_ALL, { hostname: '', ...CATCH_ALL }, { hostname: '*', ...CATCH_ALL });
const matchesAll = ({ hostname = '', path = '' }: Rule) => ['', '*'].includes(hostname) && path === '';
const state = fc.record({
  desired: fc.uniqueArray(fc.record({ hostname, service }), { selector: (route) => route.hostname }),
  remote: fc
    .tuple(
      fc.array(rule, { maxLength: 6 }),
      fc.uniqueArray(record, { maxLength: 6, selector: ({ name, type }) => `${name} ${type}` }),
      catchAll,
    )
    .map(([rules, records, last]) => remoteOf([...rules.filter((one) => !matchesAll(one)), last], records)),
  remembered: fc
    .uniqueArray(fc.tuple(hostname, fc.array(service, { minLength: 1, maxLength: 2 })), { selector: ([name]) => name })
    .map((entries): Remembered => new Map(entries)),
});

function carryOut(made: Plan, remote: Remote, remembered: Remembered): { remote: Remote; remembered: Remembered } {
  const deleted = new Set(made.deletions.map(({ id }) => id));
  const records = [
    ...remote.records.filter(({ id }) => !deleted.has(id)),
    ...made.creations.map((creation) => ({ ...markedRecord(creation.hostname), zoneId: creation.zoneId })),
  ];
  const now = new Map([...remembered].filter(([name]) => !made.forgotten.includes(name)));
  for (const [name, one] of made.rules) now.set(name, [one]);
  return { remote: { ...remote, config: made.config ?? remote.config, records }, remembered: now };
}

const isOwn = (
  one: Rule,
  { desired, remote, remembered }: { desired: Route[]; remote: Remote; remembered: Remembered },
) =>
  (one.path ?? '') === '' &&
  Object.keys((one.originRequest as object) ?? {}).length === 0 &&
  (remembered.get(one.hostname ?? '')?.includes(one.service) ||
    (desired.some((route) => route.hostname === one.hostname && route.service === one.service) &&
      remote.records.some((found) => found.name === one.hostname && isMarked(found, TUNNEL))));

t.test('in every state: others are not touched, the order holds, and a second plan changes nothing', async (t) => {
  fc.assert(
    fc.property(state, ({ desired, remote, remembered }) => {
      const made = plan(desired, remote, remembered);
      const next = carryOut(made, remote, remembered);
      const before = remote.config?.ingress ?? [];
      const after = next.remote.config?.ingress ?? [];
      const others = before.filter((one) => !isOwn(one, { desired, remote, remembered }));
      const expectSame = (a: unknown, b: unknown) => {
        if (JSON.stringify(a) !== JSON.stringify(b)) throw new Error(`${JSON.stringify(a)}\n${JSON.stringify(b)}`);
      };
      expectSame(
        after.filter((one) => others.includes(one)),
        others,
      );
      expectSame({ ...next.remote.config, ingress: null }, { ...remote.config, ingress: null });
      expectSame(after.filter(matchesAll), [before.at(-1)]);
      expectSame(after.at(-1), before.at(-1));
      for (const { hostname } of desired.filter((route) => !route.hostname.endsWith('.org'))) {
        const isOf = (one: Rule) => one.hostname === hostname;
        const competes = others.some((one) => isOf(one) && (one.path ?? '') === '');
        const place = after.findIndex((one) => isOf(one) && !others.includes(one));
        if (competes !== (place === -1)) throw new Error(`${hostname} has ${place === -1 ? 'no' : 'a'} rule`);
        const covering = (one: Rule, at: number) =>
          at !== place && (one.path ?? '') === '' && covers(one.hostname ?? '', hostname);
        const taken = after.findIndex(covering);
        const isBeforePaths = after.slice(place + 1, taken).some(isOf);
        if (place !== -1 && (isBeforePaths || (!hostname.startsWith('*') && taken < place))) {
          throw new Error(`${hostname} is at the wrong place`);
        }
      }
      for (const gone of made.deletions) if (!isMarked(gone, TUNNEL)) throw new Error('a record of others');
      after.forEach((one, place) => {
        if (others.includes(one) || !one.hostname?.startsWith('*')) return;
        const behind = after.slice(place + 1, -1);
        if (behind.some((later) => later.hostname && covers(one.hostname as string, later.hostname))) {
          throw new Error(`${one.hostname} is in front of a name that it covers`);
        }
      });
      const again = plan(desired, next.remote, next.remembered);
      expectSame([again.changes, again.config, again.deletions, again.creations], [[], null, [], []]);
    }),
    { numRuns: 3000 },
  );
  t.pass();
});
