// Which sockets of a text are one finding, and that no line is lost.
import fc from 'fast-check';
import t from 'tap';
import { MAX_LISTED_PASSED_OVER } from '../../../src/schemas/import.js';
import { readListeningPorts } from '../../../src/services/import-text/listening-ports.js';
import { holds } from '../../helpers/properties.js';

const listening = (local: string, ...processes: [name: string, pid: number][]) => {
  const users = processes.map(([name, pid]) => `("${name}",pid=${pid},fd=3)`).join(',');
  return `LISTEN 0 511 ${local} 0.0.0.0:*${users === '' ? '' : ` users:(${users})`}`;
};
const read = (...lines: string[]) => readListeningPorts(lines.join('\n'));
/** The numbers of the lines of each item, with `!` before those in conflict with an earlier one. */
const linesOf = (...lines: string[]) => read(...lines).items.map((item) => `${'clash' in item ? '!' : ''}${item.line}`);

t.test('sockets of one process, or of programs that share them, are one finding', async (t) => {
  t.same(linesOf(listening('0.0.0.0:3100', ['node', 1]), listening('[::]:3100', ['node', 1])), ['1']);
  t.same(
    linesOf(
      listening('0.0.0.0:3100', ['nginx', 30], ['nginx', 1]),
      listening('[::]:3100', ['nginx', 31], ['nginx', 1]),
    ),
    ['1'],
    'a parent and its children',
  );
  t.same(linesOf(listening('*:3100', ['envoy', 1]), listening('*:3100', ['envoy', 2])), ['1'], 'SO_REUSEPORT');
  t.same(linesOf(listening('0.0.0.0:3100'), listening('[::]:3100')), ['1'], 'processes that are not named');
  const merged = read(listening('*:3100'), listening('*:3100', ['web', 1]));
  t.match(merged.items, [{ line: 1, processName: 'web' }], 'the list of another user has the name');
  t.same(linesOf(listening('*:3100', ['web', 1]), listening('*:3100')), ['1']);
  const lsof = ['IPv4', 'IPv6', 'IPv4', 'IPv6'].map(
    (type, i) => `postgres ${i < 2 ? 7 : 8} me 3u ${type} 0x1 0t0 TCP *:3100 (LISTEN)`,
  );
  t.same(linesOf(...lsof), ['1'], 'a line for each of its processes');
});

t.test('two processes on one number are two findings, and each is told of the other', async (t) => {
  const { items, passedOver } = read(
    listening('0.0.0.0:3122', ['nginx', 1]),
    listening('[::]:3122', ['node', 30]),
    listening('[::]:3122', ['node', 30]),
  );
  t.match(items, [
    {
      line: 1,
      port: 3122,
      processName: 'nginx',
      notes: ['The number is also listened on by node (pid 30) on [::]:3122 (line 2).'],
    },
    {
      line: 2,
      port: 3122,
      host: 'localhost',
      clash:
        '3122 is listened on by nginx (pid 1) on 0.0.0.0:3122 (line 1), and by node (pid 30) on [::]:3122 (line 2). The ' +
        'number can be held for one of them: this import takes it for line 1. Move one of the two to another port.',
    },
  ]);
  t.same(passedOver, [{ line: 3, reason: 'Line 3 is of the same port and program as line 2.' }]);
  t.same(linesOf(listening('127.0.0.1:3100', ['node', 1]), listening('[::1]:3100', ['node', 2])), ['1', '!2']);
  t.same(linesOf(listening('0.0.0.0:3100'), listening('[::]:3100', ['node', 2])), ['1', '!2'], 'one is another user’s');
  t.same(linesOf(listening('10.0.0.5:3100', ['a', 1]), listening('10.0.0.6:3100', ['b', 2])), ['1', '2'], 'two hosts');
  const ofLsof = (type: string, pid: number) => `node ${pid} me 3u ${type} 0x1 0t0 TCP *:3100 (LISTEN)`;
  t.same(linesOf(ofLsof('IPv4', 1), ofLsof('IPv6', 2)), ['1', '!2'], 'lsof tells the family by the type');
  const many = Array.from({ length: 6 }, (_, i) => listening('[::]:3100', [`p${i}`, i + 1]));
  t.match(read(...many).items[0], { notes: [/p1 .*, and p2 .*, and p3 .*, and 2 more\.$/] });
});

t.test('what is quoted of processes is freed of keys and of characters that are not seen', async (t) => {
  const text = [listening('0.0.0.0:3100', ['a', 1]), listening('[::]:3100', ['se\u202ecret', 2])].join('\n');
  const { items } = readListeningPorts(text, { redact: (text) => text.replace('cret', '***') });
  t.match(items, [{ notes: [/ se\\u\{202e\}\*\*\* /] }, { clash: / se\\u\{202e\}\*\*\* / }]);
});

t.test('what a forwarder listens on is named after the container, or else the port', async (t) => {
  const text = [
    listening('0.0.0.0:3120', ['docker-proxy', 4101]),
    listening('[::]:3120', ['docker-proxy', 4108]),
    listening('127.0.0.1:3121', ['docker-proxy', 4120]),
    listening('*:3122', ['rootlessport', 9]),
    listening('*:3123', ['pasta.avx2', 10]),
    listening('*:3124', ['sshd', 11]),
  ].join('\n');
  const names = (containerOf?: (port: number) => string | null) =>
    readListeningPorts(text, containerOf && { containerOf }).items.map(
      (item) => 'processName' in item && item.processName,
    );
  t.same(names(), [null, null, null, null, 'sshd']);
  t.same(
    names((port) => (port === 3121 ? 'shop-db-1' : null)),
    [null, 'shop-db-1', null, null, 'sshd'],
  );
});

t.test('a socket on one address of the machine is told to keep others from all addresses', async (t) => {
  const { items } = read(listening('172.17.0.1:3500', ['nginx', 70]), listening('127.0.0.1:3501', ['nginx', 70]));
  t.match(items, [
    {
      host: '172.17.0.1',
      notes: [
        'It listens on 172.17.0.1 alone. While it does, no server on all addresses of that machine can use 3500.',
      ],
    },
    { host: 'localhost', notes: [] },
  ]);
});

t.test('of any mixture of lines each gives an item or is passed over, and the counts add up', async (t) => {
  const place = fc.constantFrom(
    '0.0.0.0:3100',
    '[::]:3100',
    '*:3101',
    '127.0.0.1:3101',
    '10.0.0.5:3100',
    '*:http',
    'x',
  );
  const user = fc.constantFrom<[string, number]>(['node', 1], ['node', 2], ['nginx', 3], ['docker-proxy', 4]);
  const line = fc.oneof(
    fc.tuple(place, fc.array(user, { maxLength: 2 })).map(([local, users]) => listening(local, ...users)),
    fc
      .tuple(place, fc.constantFrom('IPv4', 'IPv6'), fc.constantFrom(' (LISTEN)', ' (CLOSED)', ''))
      .map(([local, type, state]) => `node 1 me 3u ${type} 0x1 0t0 TCP ${local}${state}`),
    fc.constantFrom(
      'State Recv-Q Send-Q Local Address:Port Peer Address:Port Process',
      'Netid State Recv-Q Send-Q Local Address:Port Peer Address:PortProcess',
      'COMMAND PID USER FD TYPE DEVICE SIZE/OFF NODE NAME',
      'COMMAND PID TID TASKCMD USER FD TYPE DEVICE SIZE/OFF NODE NAMEnode',
      'node 1 me cwd DIR 254,0 4096 2 /',
      'udp UNCONN 0 0 *:3100 *:*',
      'ESTAB 0 0 10.0.0.5:3100 10.0.0.6:3101',
      '\t skmem:(r0)',
      'tcp 0 0 *:3100 *:* LISTEN 1/x',
      '',
      ' \t ',
    ),
    fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => !/[\r\n]/.test(text)),
  );
  await holds(
    t,
    fc.property(fc.array(line, { maxLength: 30 }), fc.constantFrom('\n', '\r\n', '\r'), (lines, end) => {
      const { given, items, passedOver } = readListeningPorts(lines.join(end));
      const told = [...items, ...passedOver].map(({ line }) => line).sort((a, b) => a - b);
      const expected = lines.flatMap((text, index) => (text.trim() === '' ? [] : [index + 1]));
      return given === expected.length && JSON.stringify(told) === JSON.stringify(expected);
    }),
    { numRuns: 1000 },
  );
});

/** Of the processor, because other suites may keep the machine busy. A text took 0.2 s at most. */
const MOST_MICROSECONDS = 2_000_000;

t.test('a long text is read quickly, and lists only the first lines that it passes over', async (t) => {
  const texts = {
    'one socket': `${listening('*:3100', ['node', 1])}\n`,
    'a connection': 'ESTAB 0 0 10.0.0.5:3100 10.0.0.6:3101\n',
    'another pid each time': (i: number) => `${listening('*:3100', ['node', i])}\n`,
  };
  for (const [name, line] of Object.entries(texts)) {
    const text = Array.from({ length: 20_000 }, (_, i) => (typeof line === 'string' ? line : line(i))).join('');
    const start = process.cpuUsage();
    const { given, items, passedOver } = readListeningPorts(text);
    t.ok(process.cpuUsage(start).user < MOST_MICROSECONDS, name);
    t.same([given, items.length <= 1, passedOver.length], [20_000, true, MAX_LISTED_PASSED_OVER], name);
  }
});
