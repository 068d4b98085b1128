import t from 'tap';
import type { SystemPorts } from '../../src/machine/ephemeral-ports.js';
import { warningsOf } from '../../src/repositories/range-warnings.js';

const range = (start: number, size = 100) => ({ start, end: start + size - 1 });
const linux: SystemPorts = { system: 'Linux', ephemeral: { start: 32768, end: 60999 }, setAside: [] };
const mac: SystemPorts = { system: 'macOS', ephemeral: { start: 49152, end: 65535 }, setAside: [] };
const windows: SystemPorts = { system: 'Windows', ephemeral: { start: 49152, end: 65535 }, setAside: [] };
const unknown: SystemPorts = { system: null, ephemeral: null, setAside: [] };
/** The system that each warning is about, and the first ports that it names. */
const told = (start: number, machine: SystemPorts, size?: number) =>
  warningsOf(range(start, size), machine).map(
    (warning) => `${/^(Linux|macOS|Windows)( on this machine)?/.exec(warning)?.[0]} ${/\d+(–\d+)?/.exec(warning)?.[0]}`,
  );

t.test('a range is warned of the ephemeral ports of this machine, of macOS and of Windows', async (t) => {
  const here = 'Linux on this machine 32768–60999';
  const [apple, microsoft] = ['macOS 49152–65535', 'Windows 49152–65535'];
  t.strictSame(told(32_600, linux), []);
  t.strictSame(told(32_700, linux), [here]);
  t.strictSame(told(49_000, linux), [here]);
  t.strictSame(told(49_100, linux), [here, apple, microsoft]);
  t.strictSame(told(60_900, linux), [here, apple, microsoft]);
  t.strictSame(told(61_000, linux), [apple, microsoft]);
  t.strictSame(told(64_900, linux), [apple, microsoft]);
  const own = { ...linux, ephemeral: { start: 20_000, end: 29_999 } };
  t.strictSame(told(29_900, own), ['Linux on this machine 20000–29999']);
  t.strictSame(told(40_000, own), [], "what this machine does counts, and not Linux's default");
});

t.test('no system is told of twice, and Linux by its default only where nothing better is known', async (t) => {
  t.strictSame(told(50_000, mac), ['macOS on this machine 49152–65535', 'Windows 49152–65535']);
  t.strictSame(told(50_000, windows), ['Windows on this machine 49152–65535', 'macOS 49152–65535']);
  t.strictSame(told(40_000, mac), []);
  const all = ['Linux 32768–60999', 'macOS 49152–65535', 'Windows 49152–65535'];
  t.strictSame(told(50_000, unknown), all);
  t.strictSame(told(50_000, { ...linux, ephemeral: null }), all);
  t.strictSame(told(50_000, { ...mac, ephemeral: null }), all);
});

t.test('each warning says what to do on that system', async (t) => {
  const [onMac, onWindows] = warningsOf(range(61_000), unknown);
  t.match(onMac, /sysctl net\.inet\.ip\.portrange\.first and/);
  t.match(onWindows, /add excludedportrange protocol=tcp startport=61000 numberofports=100\.$/);
  t.match(warningsOf(range(40_000), linux), [/net\.ipv4\.ip_local_reserved_ports\.$/]);
});

t.test('a range is warned of the ports on which macOS listens itself', async (t) => {
  t.strictSame(told(5000, linux), ['macOS 5000']);
  t.strictSame(told(7000, mac), ['macOS 7000']);
  t.strictSame(told(5100, mac), []);
  t.match(warningsOf(range(6500, 1000), linux), [
    /^macOS itself listens on 7000 of this range, for its AirPlay receiver\./,
  ]);
  t.match(warningsOf(range(5000, 3000), linux), [/ on 5000 and 7000 of this range/]);
});

t.test('a range is warned of what Windows has set aside in it', async (t) => {
  const setAside = [
    { start: 5357, end: 5357 },
    { start: 8150, end: 8249 },
  ];
  const machine = { ...windows, setAside };
  t.match(warningsOf(range(5300), machine), [/has set aside 5357 of this range/]);
  t.match(warningsOf(range(8200), machine), [/has set aside 8200–8249 of this range, and no service can listen there/]);
  t.match(warningsOf(range(5300, 3000), machine), [/AirPlay/, /has set aside 5357, 8150–8249 of this range/]);
  t.strictSame(warningsOf(range(8300), machine), []);
});
