// One number for TCP and UDP: two allocations, or none.
import t from 'tap';
import { decideAll, type ProjectCommand } from '../../src/allocator/decide.js';
import { ProjectState } from '../../src/allocator/project-state.js';
import { allocate, allocateBoth, decide, key, refusalOf, release, written } from '../helpers/project-commands.js';
import { factsOf, held, PROJECT, range, released, reserved, TCP, UDP } from '../helpers/project-facts.js';

const idempotency = { caller: 'ci', key: 'one', requestHash: 'this' };

t.test('the lowest number that is free for both is taken', async (t) => {
  const rows = { allocations: [held(3000), held(3001, UDP)] };
  const { ports, written } = decide(rows, allocateBoth('dns'), allocate('a'), allocate('b', { key: key('b', UDP) }));
  t.same(ports, [[3002, 3002], 3001, 3000]);
  t.same(written, { inserted: ['3002 dns', '3002 dns', '3001 a', '3000 b'] });
});

t.test('a number that one protocol may not have is taken for neither', async (t) => {
  const ranges = [range(3000, 3001, 60)];
  for (const [why, rows] of Object.entries({
    'held for UDP': { allocations: [held(3000, UDP)] },
    'reserved for UDP': { reservations: [reserved(3000, UDP)] },
    'cooling for UDP': { ranges, allocations: [released(3000, 20, UDP)] },
    excluded: { excluded: [3000] },
    'listened on over UDP': { unusable: [{ ...UDP, port: 3000 }] },
    'listened on over TCP': { unusable: [{ ...TCP, port: 3000 }] },
  })) {
    t.same(decide(rows, allocateBoth('dns')).ports, [[3001, 3001]], why);
  }
});

t.test('numbers that are free for one protocol each are no number for both', async (t) => {
  const rows = { ranges: [range(3000, 3001)], allocations: [held(3000), held(3001, UDP)] };
  const { code, message } = refusalOf(rows, allocateBoth('dns'));
  t.equal(code, 'range-exhausted');
  t.match(message, /^No port of odin \(3000–3001\) is free on localhost\/tcp and localhost\/udp\./);
  t.same(decide(rows, allocateBoth('dns', { idempotency })).written, {});
});

t.test('a number that is asked for and taken for one protocol is refused, and who has it is told', async (t) => {
  for (const space of [TCP, UDP]) {
    const rows = { allocations: [held(3001, space)] };
    const asked = allocateBoth('dns', { port: 3001, idempotency });
    const { code, message, extras } = refusalOf(rows, asked);
    t.equal(code, 'port-taken');
    t.match(message, `Port 3001 on localhost/${space.protocol} is held by odin/api`);
    t.match(extras, { holder: { kind: 'allocation', id: 'allocation of 3001', project: PROJECT, service: 'api' } });
    t.same(decide(rows, asked).written, {});
  }
  t.same(decide({}, allocateBoth('dns', { port: 3001 })).ports, [[3001, 3001]]);
  t.equal(refusalOf({}, allocateBoth('dns', { port: 4000 })).code, 'port-outside-range');
});

t.test('a preferred number is taken if both may have it', async (t) => {
  const prefer = allocateBoth('dns', { prefer: 3002 });
  t.same(decide({}, prefer, prefer).ports, [
    [3002, 3002],
    [3000, 3000],
  ]);
  for (const space of [TCP, UDP]) {
    t.same(decide({ allocations: [held(3002, space), held(3000)] }, prefer).ports, [[3001, 3001]]);
  }
});

t.test('a hostname is that of TCP', async (t) => {
  const { outcomes } = decide({}, allocateBoth('web', { details: { cloudflareHostname: 'a.example.com' } }));
  t.match(outcomes, [
    {
      value: {
        items: [
          { protocol: 'tcp', cloudflareHostname: 'a.example.com' },
          { protocol: 'udp', cloudflareHostname: null },
        ],
      },
    },
  ]);
});

t.test('a retry under its idempotency key gets the same two', async (t) => {
  const once = allocateBoth('dns', { idempotency });
  const { outcomes, ports } = decide({}, once, once, allocate('dns', { idempotency }));
  t.same(ports.slice(0, 2), [
    [3000, 3000],
    [3000, 3000],
  ]);
  t.match(outcomes, [{ value: { replayed: false } }, { value: { replayed: true } }, {}]);
});

t.test('each of the two is released by its own id', async (t) => {
  const allocations = [held(3000, { id: 'tcp' }), held(3000, { id: 'udp', ...UDP })];
  t.same(decide({ allocations }, release('udp'), allocateBoth('dns')).ports, [3000, [3001, 3001]]);
  t.same(decide({ allocations }, release('udp'), release('tcp'), allocateBoth('dns')).ports, [
    3000,
    3000,
    [3000, 3000],
  ]);
});

t.test('what a limit of the project does not allow is refused before anything is written', async (t) => {
  const limits = { hosts: 1, environments: 1, reservations: 1, idempotencyKeys: 1, healthChecks: 1 };
  const none = { hosts: 0, environments: 0, reservations: 0, idempotencyKeys: 0 };
  const decideWithin = (command: ProjectCommand) => {
    const room = { limits, left: none, newHosts: ['10.0.0.7'], newEnvironments: ['new'] };
    const state = new ProjectState({ ...factsOf({}), room });
    const [outcome] = decideAll(state, [command]);
    return [outcome?.ok ? 'ok' : outcome?.error.code, written(state.writes)];
  };
  const { protocol: _, ...both } = key('dns');
  const refused = ['limit-reached', {}];
  t.same(decideWithin(allocateBoth('dns', { key: { ...both, environment: 'new' } })), refused);
  t.same(decideWithin(allocateBoth('dns', { key: { ...both, host: '10.0.0.7' } })), refused);
  t.same(decideWithin(allocateBoth('dns', { idempotency })), refused);
  t.same(decideWithin(allocateBoth('dns')), ['ok', { inserted: ['3000 dns', '3000 dns'] }]);
});

t.test('a project without a range is not found', async (t) => {
  t.equal(refusalOf({ ranges: [] }, allocateBoth('dns')).code, 'project-not-found');
});
