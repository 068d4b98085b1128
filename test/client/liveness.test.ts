import t from 'tap';
import { livenessOf } from '../../src/client/liveness.js';

const held = {
  port: 3300,
  status: 'allocated',
  project: 'odin',
  host: 'localhost',
  protocol: 'tcp',
  allocatedAt: '2026-01-31T12:00:00.000Z',
  lastUsedAt: null,
};
/** Of everything; it began at 12:04. */
const audit = { covers: null, host: null, checkedAt: '2026-01-31T12:05:00.000Z', durationMs: 60_000, conflicts: [] };

t.test('what runs, has stopped, was never seen and was not checked is told apart', async (t) => {
  const lastUsedAt = '2026-01-31T12:01:00.000Z';
  t.equal(livenessOf({ ...held, status: 'in_use', lastUsedAt }, null), 'in_use');
  t.equal(livenessOf({ ...held, lastUsedAt }, null), 'stopped');
  t.equal(livenessOf(held, null), 'unchecked');
  t.equal(livenessOf(held, audit), 'unseen');
  t.equal(livenessOf({ ...held, protocol: 'udp' }, audit), 'unprobed');
});

t.test('only an audit that has probed the port tells that its service was never seen', async (t) => {
  t.equal(livenessOf({ ...held, allocatedAt: '2026-01-31T12:04:30.000Z' }, audit), 'unchecked', 'while it ran');
  t.equal(livenessOf(held, { ...audit, covers: ['consilio', 'odin'], host: 'localhost' }), 'unseen');
  t.equal(livenessOf(held, { ...audit, covers: ['consilio'] }), 'unchecked', 'all that a key of consilio sees');
  t.equal(livenessOf(held, { ...audit, host: 'web' }), 'unchecked');
  const withConflict = (kind: string, port: number | null, host = 'localhost') => ({
    ...audit,
    conflicts: [{ kind, port, host }],
  });
  t.equal(livenessOf(held, withConflict('unreachable', null)), 'unchecked', 'the host may not be probed');
  t.equal(livenessOf(held, withConflict('unreachable', null, 'web')), 'unseen');
  t.equal(livenessOf(held, withConflict('unreachable', 3300)), 'unseen', 'it did not answer');
  t.equal(livenessOf(held, withConflict('not-judged', 3300)), 'unchecked');
  t.equal(livenessOf(held, withConflict('not-judged', 3301)), 'unseen');
  t.equal(livenessOf(held, withConflict('not-judged', null)), 'unseen', 'it is about ports that nobody holds');
  t.equal(livenessOf(held, withConflict('not-running', 3300)), 'unseen');
});

t.test('the conflicts of an audit are gone through once, however many allocations are asked about', async (t) => {
  let reads = 0;
  const conflicts = Array.from({ length: 1000 }, (_, i) => ({
    get kind() {
      reads++;
      return i % 2 === 0 ? 'not-judged' : 'not-running';
    },
    port: 3000 + i,
    host: 'localhost',
  }));
  const asked = Array.from({ length: 1000 }, (_, i) =>
    livenessOf({ ...held, port: 3000 + i }, { ...audit, conflicts }),
  );
  t.equal(asked.filter((liveness) => liveness === 'unchecked').length, 500);
  t.ok(reads <= 2 * conflicts.length, `${reads} reads`);
});
