// Outputs of ss and lsof with other columns than usual, and what is sent by mistake.
import t from 'tap';
import { readListeningPorts, toImportItems } from '../../../src/services/import-text/listening-ports.js';

/** Describes an item as `host:port process`, or by what is wrong with it. */
function read(text: string): string[] {
  return readListeningPorts(text).items.map((item) => {
    if ('unreadable' in item) return `? ${item.unreadable}`;
    return 'clash' in item ? `! ${item.clash}` : `${item.host}:${item.port} ${item.processName}`;
  });
}
const reasons = (text: string) => readListeningPorts(text).passedOver.map(({ reason }) => reason);
const HEADER = 'State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess';
const FOUND = ['localhost:3110 node', 'localhost:3112 node', '10.0.0.5:3113 node'];

// Captured with iproute2 6.1.0: the same sockets, with the options that change columns and lines.
const ss: Record<string, string> = {
  '-tlnpH': `LISTEN 0      511      0.0.0.0:3110 0.0.0.0:* users:(("node",pid=19357,fd=20))
LISTEN 0      511        [::1]:3112    [::]:* users:(("node",pid=19357,fd=23))
LISTEN 0      511     10.0.0.5:3113 0.0.0.0:* users:(("node",pid=19357,fd=19))`,
  '-ltnpe, with the columns after the process': `${HEADER}
LISTEN 0      511          0.0.0.0:3110      0.0.0.0:*    users:(("node",pid=19357,fd=20)) ino:8500272 sk:494 cgroup:/ <->
LISTEN 0      511            [::1]:3112         [::]:*    users:(("node",pid=19357,fd=23)) ino:8500275 sk:496 cgroup:/ v6only:1 <->
LISTEN 0      511         10.0.0.5:3113      0.0.0.0:*    users:(("node",pid=19357,fd=19)) ino:8500271 sk:497 cgroup:/ v6only:0 <->`,
  '-ltnpm, with a second line for each': `${HEADER}
LISTEN 0      511          0.0.0.0:3110      0.0.0.0:*    users:(("node",pid=19357,fd=20))
\t skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d0) bbr cwnd:10
LISTEN 0      511            [::1]:3112         [::]:*    users:(("node",pid=19357,fd=23))
\t skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d0) bbr cwnd:10
LISTEN 0      511         10.0.0.5:3113      0.0.0.0:*    users:(("node",pid=19357,fd=19))
\tinet-sockopt: ( is_icsk mc_loop mc_all)`,
  '-ltnpOm': `${HEADER}
LISTEN 0      511          0.0.0.0:3110      0.0.0.0:*    users:(("node",pid=19357,fd=20)) skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d0)
LISTEN 0      511            [::1]:3112         [::]:*    users:(("node",pid=19357,fd=23)) skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d0)
LISTEN 0      511         10.0.0.5:3113      0.0.0.0:*    users:(("node",pid=19357,fd=19)) skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d0)`,
  '-tlnpT, with threads': `${HEADER}
LISTEN 0      511          0.0.0.0:3110      0.0.0.0:*    users:(("node",pid=20093,tid=20100,fd=20),("node",pid=20093,tid=20093,fd=20))
LISTEN 0      511            [::1]:3112         [::]:*    users:(("node",pid=20093,tid=20100,fd=23),("node",pid=20093,tid=20093,fd=23))
LISTEN 0      511         10.0.0.5:3113      0.0.0.0:*    users:(("node",pid=20093,tid=20100,fd=19),("node",pid=20093,tid=20093,fd=19))`,
  '-lunt with Netid': `Netid ${HEADER}
udp   UNCONN 0      0          127.0.0.1:3114      0.0.0.0:*    users:(("node",pid=19357,fd=24))
tcp   LISTEN 0      511          0.0.0.0:3110      0.0.0.0:*    users:(("node",pid=19357,fd=20))
tcp   LISTEN 0      511            [::1]:3112         [::]:*    users:(("node",pid=19357,fd=23))
tcp   LISTEN 0      511         10.0.0.5:3113      0.0.0.0:*    users:(("node",pid=19357,fd=19))`,
};
// Captured with lsof 4.95.0.
const lsof: Record<string, string> = {
  '-nP -iTCP -sTCP:LISTEN': `COMMAND   PID USER   FD   TYPE   DEVICE SIZE/OFF NODE NAME
node    20093 root   20u  IPv4 14376834      0t0  TCP *:3110 (LISTEN)
node    20093 root   23u  IPv6 14376837      0t0  TCP [::1]:3112 (LISTEN)
node    20093 root   19u  IPv4 14376833      0t0  TCP 10.0.0.5:3113 (LISTEN)`,
  '-R -g': `COMMAND   PID  PPID  PGID USER   FD   TYPE   DEVICE SIZE/OFF NODE NAME
node    20093 20090 20090 root   20u  IPv4 14376834      0t0  TCP *:3110 (LISTEN)
node    20093 20090 20090 root   23u  IPv6 14376837      0t0  TCP [::1]:3112 (LISTEN)
node    20093 20090 20090 root   19u  IPv4 14376833      0t0  TCP 10.0.0.5:3113 (LISTEN)`,
  '-a -K': `COMMAND   PID   TID TASKCMD   USER   FD   TYPE   DEVICE SIZE/OFF NODE NAME
node    20093                 root   20u  IPv4 14376834      0t0  TCP *:3110 (LISTEN)
node    20093 20094 libuv-wor root   20u  IPv4 14376834      0t0  TCP *:3110 (LISTEN)
node    20093                 root   23u  IPv6 14376837      0t0  TCP [::1]:3112 (LISTEN)
node    20093                 root   19u  IPv4 14376833      0t0  TCP 10.0.0.5:3113 (LISTEN)`,
  '-Tqs': `COMMAND   PID USER   FD   TYPE   DEVICE SIZE/OFF NODE NAME
node    20093 root   20u  IPv4 14376834      0t0  TCP *:3110 (LISTEN QR=0 QS=0)
node    20093 root   23u  IPv6 14376837      0t0  TCP [::1]:3112 (LISTEN QR=0 QS=0)
node    20093 root   24u  IPv4 14376838      0t0  UDP 127.0.0.1:3114 (QR=0 QS=0)
node    20093 root   19u  IPv4 14376833      0t0  TCP 10.0.0.5:3113 (LISTEN QR=0 QS=0)`,
  '-s': `COMMAND   PID USER   FD   TYPE   DEVICE SIZE NODE NAME
node    20093 root   20u  IPv4 14376834       TCP *:3110 (LISTEN)
node    20093 root   23u  IPv6 14376837       TCP [::1]:3112 (LISTEN)
node    20093 root   19u  IPv4 14376833       TCP 10.0.0.5:3113 (LISTEN)`,
  '+fg +L': `COMMAND   PID USER   FD   TYPE FILE-FLAG   DEVICE SIZE/OFF NLINK NODE NAME
node    20093 root   20u  IPv4  RW,ND,CX 14376834      0t0        TCP *:3110 (LISTEN)
node    20093 root   23u  IPv6  RW,ND,CX 14376837      0t0        TCP [::1]:3112 (LISTEN)
node    20093 root   19u  IPv4  RW,ND,CX 14376833      0t0        TCP 10.0.0.5:3113 (LISTEN)`,
  'all files': `COMMAND     PID   USER   FD      TYPE  DEVICE SIZE/OFF    NODE NAME
node      20093   root  cwd       DIR   254,0     4096       2 /srv
node      20093   root    3   unknown                          /proc/20093/fd/3 (readlink: Permission denied)
node      20093   root   20u     IPv4 8500276      0t0     TCP *:3110 (LISTEN)
node      20093   root   23u     IPv6 8500277      0t0     TCP [::1]:3112 (LISTEN)
node      20093   root   19u     IPv4 8500278      0t0     TCP 10.0.0.5:3113 (LISTEN)`,
};

for (const [program, outputs] of Object.entries({ ss, lsof })) {
  for (const [options, text] of Object.entries(outputs)) {
    t.test(`${program} ${options}`, async (t) => {
      t.same(read(text), FOUND);
      t.same(read(text.replaceAll('\n', '\r')), FOUND, 'lines that end in CR alone');
      if (!text.includes('\t')) t.same(read(text.replaceAll(/ +/g, '\t')), FOUND, 'tabs between the columns');
    });
  }
}

t.test('the number of the process is found by the header, whatever the name of the program', async (t) => {
  const row = 'my 2 app 20093 20090 root 20u IPv4 14376834 0t0 TCP *:3110 (LISTEN)';
  t.same(read(`COMMAND PID PPID USER FD TYPE DEVICE SIZE/OFF NODE NAME\n${row}`), ['localhost:3110 my 2 app']);
  t.same(read('node 20093 20090 root 20u IPv4 14376834 0t0 TCP *:3110 (LISTEN)'), ['localhost:3110 node']);
});

t.test('each line that gives no item says why', async (t) => {
  t.same(
    reasons(`Netid ${HEADER}
udp   UNCONN 0 0 127.0.0.1:3114 0.0.0.0:*
tcp   LISTEN 0 511 0.0.0.0:3110 0.0.0.0:* users:(("node",pid=1,fd=20))
\t skmem:(r0)

tcp   ESTAB  0 0 127.0.0.1:3110 127.0.0.1:43460
tcp   LISTEN 0 511 [::]:3110 [::]:* users:(("node",pid=1,fd=21))`),
    [
      'Line 1 is the header.',
      'Line 2 is of no TCP socket (udp).',
      'Line 4 says more about the socket of line 3.',
      'Line 6 is of a socket that does not listen (ESTAB).',
      'Line 7 is of the same port and program as line 3.',
    ],
  );
  t.same(
    reasons(`COMMAND PID USER FD TYPE DEVICE SIZE/OFF NODE NAME
node 20093 root cwd DIR 254,0 4096 2 /srv
node 20093 root 24u IPv4 1 0t0 UDP 127.0.0.1:3114
node 20093 root 25u IPv4 1 0t0 TCP 127.0.0.1:43460->127.0.0.1:3110 (ESTABLISHED)
node 20093 root 26u IPv4 1 0t0 TCP 127.0.0.1:43460->127.0.0.1:3110`),
    [
      'Line 1 is the header.',
      'Line 2 is of no TCP socket.',
      'Line 3 is of no TCP socket (UDP).',
      'Line 4 is of a socket that does not listen (ESTABLISHED).',
      'Line 5 is of a connection.',
    ],
  );
});

t.test('a text without newlines is refused with what takes them away', async (t) => {
  const lines = (text: string) => text.split('\n');
  for (const text of [ss['-ltnpe, with the columns after the process'], ss['-tlnpH'], ...Object.values(lsof)]) {
    for (const joined of [lines(text as string), lines(text as string).slice(-3), lines(text as string).slice(0, 2)]) {
      for (const between of ['', ' ']) {
        const refusal = { code: 'validation-failed', message: /newlines are missing \(curl .* --data-binary\)/ };
        t.throws(() => toImportItems(joined.join(between), {}), refusal, joined.join(between).slice(0, 90));
      }
    }
  }
  t.same(read(`${HEADER}LISTEN 0 1 *:3100 *:*\nLISTEN 0 1 *:3101 *:*`).length, 2, 'of one line, that line is told');
});

t.test('a list of another program is named, with what to send', async (t) => {
  const netstat = `Active Internet connections (only servers)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:3110            0.0.0.0:*               LISTEN      20093/node
tcp6       0      0 :::3113                 :::*                    LISTEN      -
udp        0      0 0.0.0.0:68              0.0.0.0:*                           812/dhclient`;
  for (const line of read(netstat)) t.match(line, /is of netstat, which is not read \(send ss -ltnp, or lsof/);
  t.throws(() => toImportItems(netstat, {}), { message: /^No line can be read\. Line 1 is of netstat/ });
  t.match(read('p20093\ncnode\nn*:3110')[0], /is of lsof -F, which is not read/);
  t.match(
    read('0      511        0.0.0.0:3110      0.0.0.0:*    users:(("node",pid=1,fd=2))')[0],
    /no filter by state/,
  );
  t.match(read('node 20093 root 20u IPv4 14376834 0t0 TCP *:3110')[0], /does not say .*lsof needs -Ts/);
});
