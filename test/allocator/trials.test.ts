// Which ports are tried before they are given out: as few as may be, and each once.
import t from 'tap';
import { decideAll, needsOf, type ProjectCommand } from '../../src/allocator/decide.js';
import type { TriedPorts } from '../../src/allocator/port-space.js';
import { ProjectState } from '../../src/allocator/project-state.js';
import { FreePortMemory, type Machine, requireTried, Trials, UntriedPortsError } from '../../src/allocator/trials.js';
import { allocate, allocateBoth, getOrAllocate, key, release, reserve } from '../helpers/project-commands.js';
import { factsOf, held, PROJECT, type Rows, TCP, UDP } from '../helpers/project-facts.js';

/** A machine on which somebody listens on these ports, and every trial that was made on it. */
function machineWith(listenedOn: number[] = []) {
  const tried: string[] = [];
  const machine: Machine = {
    has: ({ host }) => host === 'localhost',
    async findUnusable(protocol, ports) {
      tried.push(`${protocol} ${ports.join()}`);
      return new Set(ports.filter((port) => listenedOn.includes(port)));
    },
  };
  return { machine, tried };
}

/** The state on which commands are decided when `trials` knows so much. */
function stateOf(trials: Trials, rows: Partial<Rows> = {}) {
  const facts = factsOf(rows);
  return new ProjectState({ ...facts, spaces: facts.spaces.map((space) => ({ ...space, tried: trials.of(space) })) });
}

/** The ports that are missing before these commands can be decided. */
function untriedOf(trials: Trials, rows: Partial<Rows>, ...commands: ProjectCommand[]): UntriedPortsError | null {
  const state = stateOf(trials, rows);
  decideAll(state, commands);
  try {
    requireTried(state.spaces);
    return null;
  } catch (error) {
    return error as UntriedPortsError;
  }
}

const remembering = (...ports: number[]) => {
  const memory = new FreePortMemory();
  memory.set(PROJECT, TCP, ports);
  return memory;
};
const expected = (trials: Trials, memory: FreePortMemory, ...commands: ProjectCommand[]) =>
  trials.tryExpected(PROJECT, commands.map(needsOf), memory);
const known = ({ usable, unusable }: TriedPorts) => [[...usable], [...unusable]];

t.test(
  'as many of the remembered ports are tried as commands ask for any port, and more for those in use',
  async (t) => {
    const { machine, tried } = machineWith([3000, 3002]);
    const trials = new Trials(machine);
    const commands = [
      getOrAllocate('a'),
      reserve(),
      allocate('b', { port: 3003 }),
      allocate('c', { key: key('c', UDP) }),
    ];
    await expected(trials, remembering(3000, 3001, 3002, 3003, 3004), ...commands);
    t.same(tried, ['tcp 3000,3001', 'tcp 3002', 'tcp 3003']);
    t.same(known(trials.of(TCP) as TriedPorts), [
      [3001, 3003],
      [3000, 3002],
    ]);
  },
);

t.test('nothing is tried of another machine, or for who names a port', async (t) => {
  const { machine, tried } = machineWith();
  const trials = new Trials(machine);
  const elsewhere = getOrAllocate('a', { host: '10.0.0.7' });
  await expected(trials, remembering(3000), elsewhere, allocate('b', { port: 3000 }));
  t.same(tried, []);
  t.equal(trials.of({ ...TCP, host: '10.0.0.7' }), null);
  t.equal(untriedOf(trials, {}, elsewhere, allocate('b', { port: 3000 }), reserve({ port: 3001 })), null);
});

t.test(
  'what is preferred and known to be free, and what is released by the same batch, is tried as well',
  async (t) => {
    const { machine, tried } = machineWith();
    const place = { ...TCP, port: 3009 };
    const trials = new Trials(machine);
    const commands = [allocate('a', { prefer: 3005 }), getOrAllocate('b'), { ...release('x'), place }];
    await expected(trials, remembering(3000, 3005), ...commands);
    t.same(tried, ['tcp 3005,3009', 'tcp 3000'], 'each once');
  },
);

t.test('both protocols are tried for one number', async (t) => {
  const { machine, tried } = machineWith();
  const memory = remembering(3000);
  memory.set(PROJECT, UDP, [3001]);
  memory.set(PROJECT, TCP, [3000, 3005]);
  await expected(new Trials(machine), memory, allocateBoth('dns', { prefer: 3005 }));
  t.same(tried, ['tcp 3005', 'tcp 3000', 'udp 3001'], 'nobody knows whether 3005 is free over UDP');
});

t.test('a port that was not tried is not given out: it is named, with those that come next', async (t) => {
  const trials = new Trials(machineWith().machine);
  const error = untriedOf(trials, {}, getOrAllocate('a'));
  t.type(error, UntriedPortsError);
  t.match(error?.untried, [{ ...TCP, ports: [3000], next: [3001, 3002, 3003] }]);
  const preferring = untriedOf(trials, {}, allocate('a', { prefer: 3002 }));
  t.match(preferring?.untried, [{ ...TCP, ports: [3002], next: [3003] }]);
  t.equal(untriedOf(trials, { allocations: [held(3000)] }, getOrAllocate('api')), null, 'a port that is held stays');
});

t.test('then it is tried, no port twice, and the commands are decided anew', async (t) => {
  const { machine, tried } = machineWith([3000]);
  const trials = new Trials(machine);
  await expected(trials, remembering(3000, 3001), getOrAllocate('a'));
  // Somebody else has taken 3001 in between, and 3002 was not tried.
  const rows = { allocations: [held(3001)] };
  await trials.tryAgain(untriedOf(trials, rows, getOrAllocate('a')) as UntriedPortsError);
  t.same(tried, ['tcp 3000', 'tcp 3001', 'tcp 3002,3003']);
  t.equal(untriedOf(trials, rows, getOrAllocate('a')), null);
  t.match(decideAll(stateOf(trials, rows), [getOrAllocate('a')]), [{ value: { allocation: { port: 3002 } } }]);
});

t.test('of thousands of free ports only some are tried: those that come next', async (t) => {
  const { machine, tried } = machineWith();
  const trials = new Trials(machine);
  const next = Array.from({ length: 60_000 }, (_, i) => 3001 + i);
  await trials.tryAgain(new UntriedPortsError([{ ...TCP, ports: [3000], next }]));
  t.same(tried, [`tcp ${[3000, ...next.slice(0, 16)].join()}`]);
});

t.test('each further attempt reads more free ports, because of more of them somebody may take', async (t) => {
  const { machine } = machineWith([3000]);
  const trials = new Trials(machine);
  const first = trials.countToRead(TCP, 2);
  await trials.tryAgain(new UntriedPortsError([{ ...TCP, ports: [3000], next: [] }]));
  const second = trials.countToRead(TCP, 2);
  t.equal(second - first, first - 2 + 1, 'twice the spare ones, and one for the port that cannot be used');
  t.equal(trials.countToRead({ ...TCP, host: 'db1' }, 2), 2);
  t.equal(trials.countToRead(TCP, 0), 0, 'where no command wants one');
});

t.test('after a transaction the ports that are free are remembered, those in use too', async (t) => {
  const trials = new Trials(machineWith([3001]).machine);
  await trials.tryAgain(new UntriedPortsError([{ ...TCP, ports: [3000], next: [3001, 3002] }]));
  const state = stateOf(trials, { allocations: [held(3003)] });
  decideAll(state, [getOrAllocate('a'), release('allocation of 3003')]);
  const memory = new FreePortMemory();
  trials.remember(PROJECT, state.spaces, memory);
  t.same(memory.get(PROJECT, TCP), [3001, 3002, 3003]);
  t.same(memory.get(PROJECT, { ...TCP, host: '10.0.0.7' }), [], 'of another machine nothing');
});

t.test('where no free ports were read, what was released is added to those that are remembered', async (t) => {
  const trials = new Trials(machineWith().machine);
  const facts = factsOf({ allocations: [held(3001)] });
  const spaces = facts.spaces.map((space) => ({ ...space, free: [], isFreeRead: false, tried: trials.of(space) }));
  const state = new ProjectState({ ...facts, spaces });
  decideAll(state, [release('allocation of 3001')]);
  const memory = remembering(3000, 3002);
  trials.remember(PROJECT, state.spaces, memory);
  t.same(memory.get(PROJECT, TCP), [3000, 3001, 3002]);
});
