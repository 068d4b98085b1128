// Tests of the history checker: it accepts what the promises allow, and nothing else.
import t from 'tap';
import { checkHistory } from '../helpers/history/check.js';
import { linearize } from '../helpers/history/linearize.js';
import type { Answer, Operation, PortSpace, Question, Row } from '../helpers/history/operations.js';

const SPACE: PortSpace = { project: 'alpha', host: 'localhost', protocol: 'tcp' };
const PORTS = [3000, 3001, 3002, 3003];
const violationsOf = (history: Operation[], ports = PORTS) => checkHistory(history, () => ports).violations;

const op = (start: number, end: number, asked: Question, answer: Answer): Operation => {
  return { caller: 'c', space: SPACE, asked, start, end, answer };
};
const get = (start: number, end: number, holder: string, answer: Answer) =>
  op(start, end, { op: 'get-or-allocate', holder }, answer);
const allocate = (start: number, end: number, holder: string, answer: Answer, idempotencyKey: string | null = null) =>
  op(start, end, { op: 'allocate', holder, idempotencyKey }, answer);
const prefer = (start: number, end: number, holder: string, port: number, answer: Answer) =>
  op(start, end, { op: 'allocate', holder, idempotencyKey: null, prefer: port }, answer);
const exclude = (start: number, end: number, port: number, answer: Answer = { kind: 'done' }) =>
  op(start, end, { op: 'exclude', port }, answer);
const include = (start: number, end: number, port: number) => op(start, end, { op: 'include', port }, { kind: 'done' });
const lookUp = (start: number, end: number, holder: string, answer: Answer) =>
  op(start, end, { op: 'look-up', holder }, answer);
const release = (start: number, end: number, id: string, answer: Answer) =>
  op(start, end, { op: 'release', id }, answer);
const list = (...rows: Row[]) => op(1000, 1001, { op: 'list' }, { kind: 'rows', rows });
const row = (id: string, port: number, holder: string, released = false): Row => ({ id, port, holder, released });
const created = (id: string, port: number): Answer => ({ kind: 'created', id, port });
const existing = (id: string, port: number): Answer => ({ kind: 'existing', id, port });
const released = (id: string, port: number): Answer => ({ kind: 'released', id, port });
const unknown: Answer = { kind: 'unknown', why: 'ECONNRESET' };

t.test('what the promises allow', async (t) => {
  const passes = (name: string, ...history: Operation[]) => t.same(violationsOf(history), [], name);
  passes(
    'calls at once, answered in another order than they were sent',
    get(0, 10, 'a', created('A', 3001)),
    get(1, 9, 'b', created('B', 3000)),
    list(row('B', 3000, 'b'), row('A', 3001, 'a')),
  );
  passes(
    'many callers for one key',
    get(0, 10, 'a', existing('A', 3000)),
    get(0, 10, 'a', created('A', 3000)),
    get(0, 10, 'a', existing('A', 3000)),
    list(row('A', 3000, 'a')),
  );
  passes(
    'an allocation without an answer that was made after all, and much later',
    get(0, 1, 'lost', unknown),
    get(2, 3, 'b', created('B', 3000)),
    get(4, 5, 'c', created('C', 3002)),
    list(row('B', 3000, 'b'), row('L', 3001, 'lost'), row('C', 3002, 'c')),
  );
  passes(
    'one that was never made',
    get(0, 1, 'lost', unknown),
    get(2, 3, 'b', created('B', 3000)),
    list(row('B', 3000, 'b')),
  );
  passes(
    'a release without an answer, before and after which its port was looked at',
    get(0, 1, 'a', created('A', 3000)),
    release(2, 3, 'A', unknown),
    lookUp(4, 5, 'a', existing('A', 3000)),
    lookUp(6, 7, 'a', { kind: 'none' }),
    list(row('A', 3000, 'a', true)),
  );
  passes(
    'the first attempt of an idempotent call, made by the service itself',
    get(0, 5, 'a', existing('A', 3000)),
    list(row('A', 3000, 'a')),
  );
  passes(
    'a retry under its idempotency key, after an attempt without an answer',
    allocate(0, 1, 'a', unknown, 'k'),
    release(2, 9, 'A', unknown),
    allocate(3, 4, 'a', { kind: 'replayed', id: 'A', port: 3000 }, 'k'),
    list(row('A', 3000, 'a', true)),
  );
  passes(
    'a range that is full, and one more when a port came back',
    ...[0, 1, 2, 3].map((i) => get(i, i, `s${i}`, created(`S${i}`, 3000 + i))),
    get(5, 6, 'e', { kind: 'exhausted' }),
    release(7, 8, 'S2', released('S2', 3002)),
    allocate(9, 10, 'e', created('E', 3002)),
    list(...[0, 1, 2, 3].map((i) => row(`S${i}`, 3000 + i, `s${i}`, i === 2)), row('E', 3002, 'e')),
  );
  passes(
    'a port that is excluded is passed over until it is included again, and at once either is right',
    exclude(0, 1, 3000),
    get(2, 3, 'a', created('A', 3001)),
    include(4, 9, 3000),
    get(5, 6, 'b', created('B', 3002)),
    get(7, 8, 'c', created('C', 3000)),
    exclude(10, 11, 3000),
    exclude(12, 13, 3000, { kind: 'none' }),
    lookUp(14, 15, 'c', existing('C', 3000)),
    list(row('A', 3001, 'a'), row('B', 3002, 'b'), row('C', 3000, 'c')),
  );
  passes(
    'an exclusion without an answer, that was made after all, and one that was not',
    exclude(0, 1, 3000, unknown),
    exclude(0, 1, 3002, unknown),
    get(2, 3, 'a', created('A', 3000)),
    release(4, 5, 'A', released('A', 3000)),
    get(6, 7, 'b', created('B', 3001)),
    get(8, 9, 'c', created('C', 3002)),
    list(row('A', 3000, 'a', true), row('B', 3001, 'b'), row('C', 3002, 'c')),
  );
  passes(
    'a preferred port where it is free, and else the lowest',
    prefer(0, 1, 'a', 3002, created('A', 3002)),
    prefer(2, 3, 'b', 3002, created('B', 3000)),
    exclude(4, 5, 3003),
    prefer(6, 7, 'c', 3003, created('C', 3001)),
    list(row('A', 3002, 'a'), row('B', 3000, 'b'), row('C', 3001, 'c')),
  );
});

t.test('planted faults', async (t) => {
  const fails = (name: string, expected: RegExp, ...history: Operation[]) => {
    const violations = violationsOf(history);
    t.equal(violations.length, 1, name);
    t.match(violations[0], expected);
  };
  const noOrder = /no order of the operations gives these answers/;
  fails(
    'a port handed out twice',
    noOrder,
    get(0, 10, 'a', created('A', 3000)),
    get(0, 10, 'b', created('B', 3000)),
    list(row('A', 3000, 'a', true), row('B', 3000, 'b')),
  );
  fails(
    'a port with two holders at the end',
    /port 3000 is held by A and by B/,
    get(0, 10, 'a', created('A', 3000)),
    get(0, 10, 'b', created('B', 3000)),
    list(row('A', 3000, 'a'), row('B', 3000, 'b')),
  );
  fails('an acknowledged allocation that is gone', /is gone/, get(0, 1, 'a', created('A', 3000)), list());
  fails(
    'an acknowledged allocation that was released by nobody',
    noOrder,
    get(0, 1, 'a', created('A', 3000)),
    list(row('A', 3000, 'a', true)),
  );
  fails(
    'a port that was not the lowest free one',
    noOrder,
    get(0, 1, 'a', created('A', 3001)),
    list(row('A', 3001, 'a')),
  );
  fails(
    'a gap that a release left, and that the next call did not take',
    noOrder,
    get(0, 1, 'a', created('A', 3000)),
    get(2, 3, 'b', created('B', 3001)),
    release(4, 5, 'A', released('A', 3000)),
    get(6, 7, 'c', created('C', 3002)),
    list(row('A', 3000, 'a', true), row('B', 3001, 'b'), row('C', 3002, 'c')),
  );
  fails(
    'a late retry of a release that freed the next holder’s port',
    noOrder,
    get(0, 1, 'a', created('A', 3000)),
    release(2, 3, 'A', released('A', 3000)),
    get(4, 5, 'b', created('B', 3000)),
    release(6, 7, 'A', released('A', 3000)),
    lookUp(8, 9, 'b', { kind: 'none' }),
    list(row('A', 3000, 'a', true), row('B', 3000, 'b', true)),
  );
  fails(
    'a look-up that still sees what was released',
    noOrder,
    get(0, 1, 'a', created('A', 3000)),
    release(2, 3, 'A', released('A', 3000)),
    lookUp(4, 5, 'a', existing('A', 3000)),
    list(row('A', 3000, 'a', true)),
  );
  fails(
    'a look-up that does not see what was allocated',
    noOrder,
    get(0, 1, 'a', created('A', 3000)),
    lookUp(2, 3, 'a', { kind: 'none' }),
    list(row('A', 3000, 'a')),
  );
  fails(
    'two that were told to have made the allocation of one key',
    noOrder,
    get(0, 10, 'a', created('A', 3000)),
    get(0, 10, 'a', created('B', 3001)),
    list(row('A', 3000, 'a'), row('B', 3001, 'a')),
  );
  fails(
    'two that were told to have made one allocation',
    /made twice/,
    get(0, 10, 'a', created('A', 3000)),
    get(0, 10, 'a', created('A', 3000)),
    list(row('A', 3000, 'a')),
  );
  fails(
    'a second allocation under one idempotency key',
    noOrder,
    allocate(0, 1, 'a', created('A', 3000), 'k'),
    allocate(2, 3, 'a', created('B', 3001), 'k'),
    list(row('A', 3000, 'a'), row('B', 3001, 'a')),
  );
  fails(
    'an attempt without an answer that was made twice',
    noOrder,
    allocate(0, 1, 'a', unknown),
    list(row('A', 3000, 'a'), row('B', 3001, 'a')),
  );
  fails('an allocation that nobody asked for', noOrder, lookUp(0, 1, 'a', { kind: 'none' }), list(row('A', 3000, 'a')));
  fails(
    'a call that had no answer, and happened before it was made',
    noOrder,
    get(0, 1, 'a', created('A', 3001)),
    get(2, 3, 'lost', unknown),
    list(row('L', 3000, 'lost'), row('A', 3001, 'a')),
  );
  fails('a refusal for want of ports while there were some', noOrder, get(0, 1, 'a', { kind: 'exhausted' }), list());
  fails(
    'a refusal that says it changed nothing, and did',
    noOrder,
    get(0, 1, 'a', { kind: 'refused', code: 'project-busy' }),
    list(row('A', 3000, 'a')),
  );
  fails(
    'a port that was given out after its exclusion was acknowledged',
    noOrder,
    exclude(0, 1, 3000),
    get(2, 3, 'a', created('A', 3000)),
    list(row('A', 3000, 'a')),
  );
  fails(
    'an excluded port that came back unasked after a release',
    noOrder,
    get(0, 1, 'a', created('A', 3000)),
    exclude(2, 3, 3000),
    release(4, 5, 'A', released('A', 3000)),
    get(6, 7, 'b', created('B', 3000)),
    list(row('A', 3000, 'a', true), row('B', 3000, 'b')),
  );
  fails(
    'a port that stays out of use after it was included again',
    noOrder,
    exclude(0, 1, 3000),
    include(2, 3, 3000),
    get(4, 5, 'a', created('A', 3001)),
    list(row('A', 3001, 'a')),
  );
  fails(
    'a preferred port that was free and not taken',
    noOrder,
    prefer(0, 1, 'a', 3002, created('A', 3000)),
    list(row('A', 3000, 'a')),
  );
  fails(
    'a preferred port that was excluded and taken',
    noOrder,
    exclude(0, 1, 3002),
    prefer(2, 3, 'a', 3002, created('A', 3002)),
    list(row('A', 3002, 'a')),
  );
  fails('an answer of no kind', /right in no state/, get(0, 1, 'a', { kind: 'wrong', what: '500' }), list());
  fails('a history without an end', /without a list/, get(0, 1, 'a', created('A', 3000)));
});

t.test('the search ends, and says so, where there are too many orders to try', async (t) => {
  const all = Array.from({ length: 20 }, (_, op) => ({ op, start: 0, end: 1 }));
  const full = 2 ** 20 - 1;
  const impossible = {
    step: (done: number, op: number) => ((done | (1 << op)) === full ? [] : [done | (1 << op)]),
    keyOf: String,
  };
  t.match(linearize(impossible, 0, all, 5000), { kind: 'gave-up', steps: 5000 });
});
