import t from 'tap';
import { canonicalHost } from '../../src/schemas/host.js';
import { importOfDashboard } from '../helpers/dashboard-module.js';

type PortSpace = {
  readHost(text: string): string | null;
  readSpot(text: string): object | null;
};
const { readHost, readSpot } = await importOfDashboard<PortSpace>('registry/port-space.ts');

t.test('a host of the address bar is read as the service does', (t) => {
  for (const host of [
    ...['localhost', 'LOCALHOST', 'build-1', 'Build-1.Example.', 'a_b', '_x', 'db.internal'],
    ...['127.0.0.1', '127.1.2.3', '0.0.0.0', '*', '::1', '[::1]', '::', '10.0.0.7', '255.255.255.255'],
    ...['fe80::0:1', 'FE80::1', '2001:DB8:0:0:0:0:0:1', '[2001:db8::1]'],
    ...["'x", '<b>', 'a b', '-a', 'a-', 'a..b', '.a', '', ' ', '.', 'ü', 'constructor ', '../..', 'a/b', 'a:3', '::z'],
    ...['256.1.1.1', '010.0.0.1', '1.2.3', '127.1', '0x7f.1', 'a.1', '::1.2.3.4', 'fe80::1%eth0', '[build-1]', '[::1'],
    ...['a'.repeat(63), 'a'.repeat(64), `${'a.'.repeat(126)}a`, `${'a.'.repeat(127)}a`, 'x'.repeat(9000)],
  ]) {
    t.equal(readHost(host), canonicalHost(host), JSON.stringify(host.slice(0, 80)));
  }
  t.end();
});

t.test('a port of the address bar is read with its host and protocol, or not at all', (t) => {
  t.same(readSpot('3102'), { port: 3102, host: 'localhost', protocol: 'tcp' });
  t.same(readSpot('build-1:3102/udp'), { port: 3102, host: 'build-1', protocol: 'udp' });
  t.same(readSpot('2001:db8::1:3102'), { port: 3102, host: '2001:db8::1', protocol: 'tcp' });
  for (const text of [
    '',
    '0',
    '65536',
    '99999',
    '-1',
    '3.5',
    '0x10',
    '1e3',
    "'x:3102",
    '3102/sctp',
    'build-1:',
    ':3102',
  ]) {
    t.equal(readSpot(text), null, text);
  }
  t.end();
});
