// A port for every service of an environment, or for none.
import t from 'tap';
import {
  allocate,
  allocateEnvironment,
  decide,
  decideOne,
  getOrAllocate,
  refusalOf,
} from '../helpers/project-commands.js';
import { held, NOW, PROJECT, range, released, secondsFromNow, TCP, UDP } from '../helpers/project-facts.js';

const STAGING = { environment: 'staging' };
const releaseStaging = { kind: 'release-environment', ...TCP, ...STAGING } as const;

t.test('every service gets a port, in the order given, and keeps what it holds', async (t) => {
  const allocations = [held(3001, { service: 'web', ...STAGING })];
  const { outcomes, ports, written } = decide({ allocations }, allocateEnvironment(['api', 'web', 'db'], STAGING));
  t.same(ports, [[3000, 3001, 3002]]);
  t.match(outcomes, [{ value: { created: true } }]);
  t.same(written, { inserted: ['3000 api', '3002 db'] });
});

t.test('where every service holds a port nothing is created or written', async (t) => {
  const { outcomes, written } = decide({ allocations: [held(3001)] }, allocateEnvironment(['api']));
  t.match(outcomes, [{ value: { created: false, items: [{ port: 3001 }] } }]);
  t.same(written, {});
});

t.test(
  'where one service too many asks none gets a port, and the next command can still have what is free',
  async (t) => {
    const allocations = [held(3000), held(3001)];
    const environment = allocateEnvironment(['a', 'b', 'c'], STAGING);
    const { ports, written } = decide({ allocations }, environment, allocateEnvironment(['a', 'b'], STAGING));
    t.same(ports, ['range-exhausted', [3002, 3003]]);
    t.same(written, { inserted: ['3002 a', '3003 b'] });
    const { message, extras } = refusalOf({ allocations }, environment);
    t.equal(message, '3 ports of odin (3000–3003) are needed on localhost/tcp, and 2 are free. None was taken.');
    t.same(extras, { project: PROJECT, nextPortAvailableAt: null });
  },
);

t.test('it counts what commands before it took in the same batch', async (t) => {
  const { ports } = decide({}, allocate('first'), allocate('second'), allocateEnvironment(['a', 'b', 'c']));
  t.same(ports, [3000, 3001, 'range-exhausted']);
});

t.test('services that hold a port need no other, so a full range still answers an environment', async (t) => {
  const rows = { ranges: [range(3000, 3000)], allocations: [held(3000)] };
  t.same(decide(rows, allocateEnvironment(['api'])).ports, [[3000]]);
  t.equal(refusalOf(rows, allocateEnvironment(['api', 'web'])).code, 'range-exhausted');
});

t.test('a port that cools down for a service of the environment counts as room for it alone', async (t) => {
  const cooling = (port: number, service: string) => released(port, 30, { service, ...STAGING });
  const rows = {
    ranges: [range(3000, 3002, 60)],
    allocations: [held(3000), cooling(3001, 'web'), cooling(3002, 'db')],
  };
  t.same(decide(rows, allocateEnvironment(['db', 'web'], STAGING)).ports, [[3002, 3001]]);
  t.match(refusalOf(rows, allocateEnvironment(['db', 'x', 'web'], STAGING)), {
    code: 'range-exhausted',
    message: /^No port of odin \(3000–3002\) is free on localhost\/tcp\. The next one comes free by itself at /,
  });
});

t.test('details are applied to what is new and to what is held', async (t) => {
  const command = allocateEnvironment(['api', 'web']);
  const services = command.services.map(({ key }) => ({ key, details: { description: key.service } }));
  const { items } = decideOne({ allocations: [held(3000)] }, { ...command, services });
  t.same(
    items.map(({ port, description }) => [port, description]),
    [
      [3000, 'api'],
      [3001, 'web'],
    ],
  );
});

t.test('an environment is released by port, in one port space', async (t) => {
  const allocations = [
    held(3002, { service: 'web', ...STAGING }),
    held(3000, STAGING),
    held(3001),
    held(3000, { ...STAGING, ...UDP, id: 'udp' }),
  ];
  const { ports, written } = decide({ allocations }, releaseStaging, getOrAllocate('new'));
  t.same(ports, [[3000, 3002], 3000]);
  t.same(written, {
    releasedIds: ['allocation of 3000', 'allocation of 3002'],
    inserted: ['3000 new'],
    releasedEnvironments: ['staging 2'],
  });
});

t.test('an environment that holds nothing has nothing to release', async (t) => {
  const { ports, written } = decide({}, releaseStaging);
  t.same(ports, [[]]);
  t.same(written, {});
});

t.test('an environment can be allocated and released in one batch', async (t) => {
  const { ports } = decide({}, allocateEnvironment(['a', 'b'], STAGING), releaseStaging, allocate('next'));
  t.same(ports, [[3000, 3001], [3000, 3001], 3000]);
});

const DAY = 86_400;
const release = { expiresAfterSeconds: DAY, onExpiry: 'release' } as const;
const releaseIfExpired = { kind: 'release-environment', ...STAGING, ifExpired: true } as const;
/** Last used two days ago, and told of an hour ago, unless something else is said. */
const expiring = (given: object = {}, allocatedAt = secondsFromNow(-2 * DAY)) => ({
  allocations: [
    held(3000, { ...STAGING, allocated_at: allocatedAt }),
    held(3001, { ...STAGING, ...UDP, allocated_at: allocatedAt }),
    held(3002),
  ],
  environments: [{ ...STAGING, expiry: release, toldAt: secondsFromNow(-3600), ...given }],
});

t.test('what has expired and was told of is released on every host and protocol', async (t) => {
  const { ports, written } = decide(expiring(), releaseIfExpired);
  t.same(ports, [[3000, 3001]]);
  t.same(written, {
    releasedIds: ['allocation of 3000', 'allocation of 3001'],
    environments: ['staging removed'],
    releasedEnvironments: ['staging 2'],
  });
});

t.test(
  'it is kept if it was used, if nobody was told, if it is only to be told of, and without an expiry',
  async (t) => {
    for (const rows of [
      expiring({}, NOW),
      expiring({ usedAt: secondsFromNow(-DAY + 1) }),
      expiring({ toldAt: null }),
      expiring({ toldAt: secondsFromNow(-3 * DAY) }),
      expiring({ expiry: { ...release, onExpiry: 'tell' } }),
      expiring({ expiry: null, path: '/srv/odin' }),
    ]) {
      const { ports, written } = decide(rows, releaseIfExpired);
      t.same(ports, [[]]);
      t.same(written, {});
    }
  },
);

t.test('a command before it in the same batch counts as a use', async (t) => {
  t.same(decide(expiring(), allocateEnvironment(['api'], STAGING), releaseIfExpired).ports, [[3000], []]);
  t.same(decide(expiring(), getOrAllocate('new', STAGING), releaseIfExpired).ports, [3001, []]);
});

t.test('a put sets the expiry, keeps it, and clears it', async (t) => {
  const allocations = [held(3000)];
  t.same(decide({ allocations }, allocateEnvironment(['api'], { expiry: release })).written, {
    environments: ['default  86400 release'],
  });
  const environments = [{ environment: 'default', path: '/srv/odin', expiry: release }];
  const kept = decide({ allocations, environments }, allocateEnvironment(['api']));
  t.same(kept.written, { environments: ['default /srv/odin 86400 release'] }, 'the use is written');
  t.match(kept.outcomes, [{ value: { expiry: { ...release, at: secondsFromNow(DAY) } } }]);
  const cleared = decide({ allocations, environments }, allocateEnvironment(['api'], { expiry: null }));
  t.same(cleared.written, { environments: ['default /srv/odin'] });
  t.match(cleared.outcomes, [{ value: { expiry: null } }]);
});
