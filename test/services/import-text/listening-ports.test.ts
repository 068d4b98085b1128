import { isIP } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { readListeningPorts, toImportItems } from '../../../src/services/import-text/listening-ports.js';
import { holds } from '../../helpers/properties.js';

/** Describes an item as `host:port process`, or by what is wrong with it. */
function read(text: string): string[] {
  return readListeningPorts(text).items.map((item) => {
    if ('unreadable' in item) return `? ${item.unreadable}`;
    return 'clash' in item ? `! ${item.clash}` : `${item.host}:${item.port} ${item.processName}`;
  });
}

// Captured with iproute2 6.1.0 on Linux.
const SS_LTNP = `
State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess                                                                                     
LISTEN 0      16        127.0.0.53:3710      0.0.0.0:*    users:(("nameless",pid=29088,fd=3))                                                        
LISTEN 0      16         127.0.0.1:3707      0.0.0.0:*    users:(("web "x", y",pid=29085,fd=3))                                                      
LISTEN 1      16         127.0.0.1:3708      0.0.0.0:*    users:(("postgres",pid=29090,fd=3),("postgres",pid=29089,fd=3),("postgres",pid=29086,fd=3))
LISTEN 0      16           0.0.0.0:3706      0.0.0.0:*    users:(("grafana",pid=29084,fd=3))                                                         
LISTEN 0      16              [::]:3706         [::]:*    users:(("grafana",pid=29084,fd=4))                                                         
LISTEN 0      16                 *:3705            *:*    users:(("next-server (v1",pid=29083,fd=3))                                                 
LISTEN 0      16             [::1]:3708         [::]:*    users:(("postgres",pid=29090,fd=4),("postgres",pid=29089,fd=4),("postgres",pid=29086,fd=4))
`;
const SS_TUNAP = `Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process                                                                                     
udp   UNCONN 0      0          127.0.0.1:3709      0.0.0.0:*     users:(("dns server",pid=29087,fd=3))                                                      
tcp   LISTEN 0      16           0.0.0.0:3706      0.0.0.0:*     users:(("grafana",pid=29084,fd=3))                                                         
tcp   ESTAB  0      0          127.0.0.1:3708    127.0.0.1:43460                                                                                            
tcp   LISTEN 0      16              [::]:3706         [::]:*     users:(("grafana",pid=29084,fd=4))                                                         
`;
const SS_HLTNPE = `LISTEN 0      16           [::]:3706    [::]:* users:(("grafana",pid=29084,fd=4)) ino:696387 sk:5 cgroup:/ v6only:1 <->                                                
LISTEN 0      16              *:3705       *:* users:(("next-server (v1",pid=29083,fd=3)) ino:696251 sk:6 cgroup:/ v6only:0 <->`;
// Captured by another user than the owner of the sockets.
const SS_WITHOUT_PROCESSES = `State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
LISTEN 0      16        127.0.0.53:3710      0.0.0.0:*          
LISTEN 0      16             [::1]:3708         [::]:*          `;
// Captured with lsof 4.95.0 on Linux.
const LSOF_LINUX = `COMMAND     PID     USER   FD   TYPE DEVICE SIZE/OFF NODE NAME
python3   29042     root    3u  IPv4 696429      0t0  TCP 127.0.0.1:43460->127.0.0.1:3708 (ESTABLISHED)
grafana   29084     root    3u  IPv4 696386      0t0  TCP *:3706 (LISTEN)
grafana   29084     root    4u  IPv6 696387      0t0  TCP *:3706 (LISTEN)
web\\x20"x 29085     root    3u  IPv4 696392      0t0  TCP 127.0.0.1:3707 (LISTEN)
postgres  29086     root    3u  IPv4 696254      0t0  TCP 127.0.0.1:3708 (LISTEN)
postgres  29086     root    4u  IPv6 696255      0t0  TCP [::1]:3708 (LISTEN)
dns\\x20se 29087     root    3u  IPv4 696395      0t0  UDP 127.0.0.1:3709 
nameless  29088     root    3u  IPv4 696396      0t0  TCP 127.0.0.53:3710 (LISTEN)
postgres  29089     root    3u  IPv4 696254      0t0  TCP 127.0.0.1:3708 (LISTEN)
`;
// As on macOS, where the device is an address and commands are cut off after nine characters.
const LSOF_MACOS = `COMMAND     PID   USER   FD   TYPE             DEVICE SIZE/OFF NODE NAME
rapportd    480  alice    8u  IPv4 0x5a3b2d8a8b0c7b6f      0t0  TCP *:49159 (LISTEN)
rapportd    480  alice   12u  IPv6 0x5a3b2d8a8b0c9d5f      0t0  TCP *:49159 (LISTEN)
identitys   512  alice   22u  IPv4 0x5a3b2d8a8b0c7b00      0t0  UDP *:*
ControlCe   533  alice    9u  IPv4 0x5a3b2d8a8b0c7b01      0t0  TCP *:7000 (LISTEN)
Code\\x20H  2211  alice   41u  IPv4 0x5a3b2d8a8b0c7b02      0t0  TCP 127.0.0.1:52698 (LISTEN)
com.docke  2870  alice  120u  IPv6 0x5a3b2d8a8b0c7b03      0t0  TCP *:5432 (LISTEN)
node      31337  alice   23u  IPv6 0x5a3b2d8a8b0c7b04      0t0  TCP [fe80:1::1]:3000 (LISTEN)
Slack\\x20  3001  alice   27u  IPv4 0x5a3b2d8a8b0c7b05      0t0  TCP 192.168.1.5:51000->3.68.1.1:443 (ESTABLISHED)
`;

t.test('the output of ss: one item a port and host, named after its first process', async (t) => {
  t.same(read(SS_LTNP), [
    'localhost:3710 nameless',
    'localhost:3707 web "x", y',
    'localhost:3708 postgres',
    'localhost:3706 grafana',
    'localhost:3705 next-server (v1',
  ]);
  t.same(read(SS_TUNAP), ['localhost:3706 grafana']);
  t.same(read(SS_HLTNPE), ['localhost:3706 grafana', 'localhost:3705 next-server (v1']);
  t.same(read(SS_WITHOUT_PROCESSES), ['localhost:3710 null', 'localhost:3708 null']);
});

t.test('the output of lsof, of Linux and of macOS', async (t) => {
  t.same(read(LSOF_LINUX), [
    'localhost:3706 grafana',
    'localhost:3707 web "x',
    'localhost:3708 postgres',
    'localhost:3710 nameless',
  ]);
  t.same(read(LSOF_MACOS), [
    'localhost:49159 rapportd',
    'localhost:7000 ControlCe',
    'localhost:52698 Code H',
    'localhost:5432 null',
    'fe80:1::1:3000 node',
  ]);
  t.same(read(LSOF_LINUX.replaceAll('\n', '\r\n')), read(LSOF_LINUX));
});

t.test('older and rarer forms', async (t) => {
  t.same(read('LISTEN 0 128 :::3100 :::* users:(("node",2211,9))'), ['localhost:3100 node']);
  t.same(read('LISTEN 0 128 127.0.0.53%lo:3153 0.0.0.0:*'), ['localhost:3153 null']);
  t.same(read('LISTEN 0 128 [fe80::1]%eth0:3100 [::]:*'), ['fe80::1:3100 null']);
  t.same(read('LISTEN 0 128 [::ffff:10.0.0.7]:3100 *:*'), ['10.0.0.7:3100 null']);
  t.same(read('u_str LISTEN 0 4096 /run/docker.sock 12345 * 0'), []);
  t.same(read('mptcp LISTEN 0 4096 0.0.0.0:3100 0.0.0.0:*'), ['localhost:3100 null']);
  t.same(read('My App 77 al 3u IPv4 0x1 0t0 TCP *:3100 (LISTEN)'), ['localhost:3100 My App']);
});

t.test('what is not seen in a line or in the name of a process is written out', async (t) => {
  t.same(read('LISTEN 0 1 *:3100 *:* users:(("we\u202eb\u001b[31m",pid=1,fd=3))'), [
    'localhost:3100 we\\u{202e}b\\u{1b}[31m',
  ]);
  t.same(read('we\\x1bb 77 al 3u IPv4 0x1 0t0 TCP *:3100 (LISTEN)'), ['localhost:3100 we\\u{1b}b']);
  t.same(read('x\u202e\u001b\u2028y'), ['? Line 1 is of neither ss nor lsof: "x\\u{202e}\\u001b\\u{2028}y"']);
});

t.test('a line that cannot be read is reported with the reason, and the others are read', async (t) => {
  t.same(read(`$ ss -ltnp\n${SS_WITHOUT_PROCESSES}\nLISTEN 0 128 *:http *:*\nLISTEN 0 128 *:99999 *:*`), [
    '? Line 1 is of neither ss nor lsof: "$ ss -ltnp"',
    'localhost:3710 null',
    'localhost:3708 null',
    '? Line 5 has no port number (ss needs -n, lsof -P): "LISTEN 0 128 *:http *:*"',
    '? Line 6 has no port number (ss needs -n, lsof -P): "LISTEN 0 128 *:99999 *:*"',
  ]);
  t.match(read('node 1 me 3u IPv4 0x1 0t0 TCP my.host:3100 (LISTEN)')[0], /has no address/);
  t.match(read('LISTEN 0 128 3100 *:*')[0], /has no address/);
});

t.test('a text with too many items is refused without reading all of it', async (t) => {
  const text = `LISTEN 0 1 *:3100 *:*\n${'x\n'.repeat(500_000)}`;
  t.equal(readListeningPorts(text).items.length, 5001);
  t.throws(() => toImportItems(text, {}), { message: /^The text has more than 5000 items;/ });
});

t.test('a text without any readable line is refused', async (t) => {
  for (const text of ['', '\n \t\n', 'hello', '3100\n3101', '{"items":[]}']) {
    t.throws(() => toImportItems(text, {}), { code: 'validation-failed' }, JSON.stringify(text));
  }
  t.throws(() => toImportItems('\nhello', {}), {
    message: /^No line can be read\. Line 2 is of neither .* "hello"\. Send /,
  });
  const nothing = { given: 1, items: [], passedOver: [{ line: 1, reason: 'Line 1 is the header.' }] };
  t.same(toImportItems('State Recv-Q Send-Q Local Address:Port Peer Address:Port', {}), nothing, 'nothing listens');
});

t.test('random input never throws and is never adopted', async (t) => {
  const word = fc.oneof(
    fc.constantFrom('LISTEN', 'TCP', 'UDP', 'IPv4', 'IPv6', '(LISTEN)', 'tcp', '0', '*:3100', '[::]:*', '*:*', '-1:-1'),
    fc.constantFrom('users:(("', '",pid=1', '\\x20', ':', '%', '[', ']', '*:65536', '1.2.3:4', '::1', '0x1:80'),
    fc.string({ unit: 'binary', maxLength: 8 }),
  );
  const line = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(word, { maxLength: 12 }).map((words) => words.join(' ')),
  );
  await holds(
    t,
    fc.property(
      fc.array(line, { maxLength: 20 }).map((lines) => lines.join('\n')),
      (text) => {
        for (const item of readListeningPorts(text).items) {
          if (!('port' in item)) continue;
          const isPort = Number.isInteger(item.port) && item.port >= 1 && item.port <= 65535;
          if (!isPort || (item.host !== 'localhost' && isIP(item.host) === 0)) return false;
          // Every adopted port appears in the text in the form of a listening socket.
          if (!text.includes('LISTEN') || !text.includes(`:${item.port}`)) return false;
        }
        return true;
      },
    ),
    { numRuns: 2000 },
  );
});

/** Of the processor, because other suites may keep the machine busy. A line took 0.1 s at most. */
const MOST_MICROSECONDS = 1_000_000;

t.test('a line of one mebibyte is read quickly', async (t) => {
  for (const filler of [
    'a ',
    ' ',
    '",',
    'IPv4 ',
    'TCP IPv4 ',
    'LISTEN 0 0 a:1 ',
    'State ',
    'users:(("',
    '[',
    '%',
    ':',
  ]) {
    const start = process.cpuUsage();
    readListeningPorts(`LISTEN 0 0 ${filler.repeat(2 ** 20 / filler.length)}`);
    t.ok(process.cpuUsage(start).user < MOST_MICROSECONDS, JSON.stringify(filler));
  }
});
