import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  parseDynamicPorts,
  parseExcludedRanges,
  parseTwoNumbers,
  systemPorts,
} from '../../src/machine/ephemeral-ports.js';

t.test("Linux's two numbers, and the two lines of macOS", async (t) => {
  t.strictSame(parseTwoNumbers('32768\t60999\n'), { start: 32768, end: 60999 });
  t.strictSame(parseTwoNumbers('49152\n65535\n'), { start: 49152, end: 65535 });
  for (const text of ['', '49152', '1 2 3', 'a b', '60999 32768', 'sysctl: unknown oid']) {
    t.equal(parseTwoNumbers(text), null, JSON.stringify(text));
  }
});

t.test('the dynamic ports of Windows, in English and in German', async (t) => {
  const english = `
Protocol tcp Dynamic Port Range
---------------------------------
Start Port      : 49152
Number of Ports : 16384

`;
  const german = `
Protokoll tcp Dynamischer Portbereich
---------------------------------
Startport           : 1024
Anzahl von Ports    : 64511

`;
  t.strictSame(parseDynamicPorts(english.replaceAll('\n', '\r\n')), { start: 49152, end: 65535 });
  t.strictSame(parseDynamicPorts(german), { start: 1024, end: 65534 });
  for (const text of ['', 'Start Port      : 49152', 'The following command was not found: interface ipv4 show']) {
    t.equal(parseDynamicPorts(text), null, text);
  }
});

t.test('the ports that Windows has set aside, without those that an administrator did', async (t) => {
  const text = `
Protocol tcp Port Exclusion Ranges

Start Port    End Port
----------    --------
      5357        5357
     50000       50059     *
     50160       50259

* - Administered port exclusions.

`;
  const spans = [
    { start: 5357, end: 5357 },
    { start: 50160, end: 50259 },
  ];
  t.strictSame(parseExcludedRanges(text), spans);
  t.strictSame(parseExcludedRanges(text.replaceAll('\n', '\r\n')), spans);
  t.strictSame(parseExcludedRanges('Start Port    End Port\n----------    --------\n\n'), []);
});

t.test('those of this machine', { skip: process.platform !== 'linux' }, async (t) => {
  const [start, end] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t').map(Number);
  t.strictSame(systemPorts(), { system: 'Linux', ephemeral: { start, end }, setAside: [] });
  t.equal(systemPorts(), systemPorts(), 'are read once');
});
