// Probes and look-ups of names in processes that run out of something. Each is a process of its own, with less than it
// needs: few descriptors, few local ports, or no IPv6.
import { execFile, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { packageRoot } from '../../../src/package-root.js';
import { makeDataDir } from '../../helpers/database.js';
import { startDnsServer } from '../../helpers/dns-server.js';
import { listen } from '../../helpers/listeners.js';

const HOST = '127.0.0.93';
const isRoot = process.platform === 'linux' && spawnSync('unshare', ['--net', 'true']).status === 0;
const skip = isRoot ? false : 'only root on Linux can make a network of its own';

const HOG = `
  import { closeSync, openSync } from 'node:fs';
  const hogged = [];
  const hog = () => { try { for (;;) hogged.push(openSync('/dev/null', 'r')); } catch {} };
  const letGo = (count = hogged.length) => { for (const fd of hogged.splice(0, count)) closeSync(fd); };`;
const PROBER = `
  import { Prober } from './dist/src/services/probes/prober.js';
  const config = { probeTimeoutMs: 1000, probeConcurrency: 256, probeTargets: new Map(), probeAllowedHosts: [] };
  const tell = (value) => process.stdout.write(JSON.stringify(value));`;

/** Runs a module in a process that a shell has prepared. @returns the JSON that it writes to stdout */
async function run(prepare: string, module: string, ...args: string[]) {
  const script = `${prepare} "$0" --input-type=module -e "$@"`;
  const options = { cwd: packageRoot, env: { PATH: process.env.PATH } };
  const { stdout, stderr } = await promisify(execFile)(
    'sh',
    ['-c', script, process.execPath, module, '--', ...args],
    options,
  );
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout);
}

t.test('more probes than the process has descriptors are made a few at a time, and all are judged', async (t) => {
  const open = new Set<number>();
  for (let i = 0; i < 200; i++) open.add((await listen(t, HOST)).port);
  const ports = [...open].flatMap((port) => [port, port]);
  const outcomes = await run(
    'ulimit -n 64 && exec',
    `${PROBER}
    const [host, ...ports] = process.argv.slice(1);
    const prober = new Prober({ ...config, probeTimeoutMs: 10_000 });
    const probe = async (port) => (await prober.probe({ addresses: [host, '127.0.0.94'], error: null }, Number(port))).outcome;
    tell(await Promise.all(ports.map(probe)));`,
    HOST,
    ...ports.map(String),
  );
  t.same(outcomes, Array(400).fill('open'));
});

t.test('an audit of many ports without any descriptor ends soon, and the prober recovers', async (t) => {
  const { port } = await listen(t, HOST);
  const told = await run(
    'ulimit -n 64 && exec',
    `${PROBER} ${HOG}
    const [host, port] = process.argv.slice(1);
    const seen = [];
    const observer = { probed: (outcome) => seen.push(outcome) };
    const prober = new Prober(config, observer);
    const destination = { addresses: [host, '::1'], error: null };
    const probe = () => prober.probe(destination, Number(port));
    hog();
    const begun = performance.now();
    const results = await Promise.all(Array.from({ length: 1000 }, probe));
    const ms = performance.now() - begun;
    const other = probe(); // begins without a descriptor, which comes free a little later
    letGo(4);
    const late = await other;
    letGo();
    tell({ outcomes: [...new Set(results.map(({ outcome, error }) => outcome + ' ' + error))], ms, late, seen: seen.length });`,
    HOST,
    String(port),
  );
  t.same(told.outcomes, ['not-judged EMFILE']);
  t.ok(told.ms >= 1000 && told.ms < 20_000, `${told.ms} ms`);
  t.equal(told.late.outcome, 'open');
  t.equal(told.seen, 1001, 'each port is counted once, however often it was tried');
});

t.test('a name that could not be looked up for lack of a descriptor is looked up again, or not judged', async (t) => {
  const folder = await makeDataDir(t);
  const hostsFile = join(folder, 'hosts');
  await writeFile(hostsFile, `${HOST} listed.test\n`);
  const dns = await startDnsServer(t, { 'asked.test': HOST });
  const sources = { hostsFile, resolvConf: join(folder, 'none'), servers: [dns.address] };
  const told = await run(
    'ulimit -n 64 && exec',
    `${PROBER} ${HOG}
    const names = ['listed.test', 'asked.test', 'unknown.test'];
    const prober = new Prober({ ...config, probeAllowedHosts: names }, undefined, JSON.parse(process.argv[1]));
    const resolve = async () => Promise.all(names.map((name) => prober.resolve(name)));
    hog();
    const without = await resolve();
    const probed = await prober.probe(without[1], 3000);
    setTimeout(letGo, 200);
    const later = await resolve();
    tell({ without, probed, later });`,
    JSON.stringify(sources),
  );
  for (const destination of told.without) t.match(destination, { addresses: [], shortage: 'EMFILE' });
  t.match(told.probed, { outcome: 'not-judged', error: 'EMFILE' });
  t.match(told.later, [{ addresses: [HOST] }, { addresses: [HOST] }, { addresses: [], error: /ENOTFOUND/ }]);
  t.notOk(told.later.some((destination: object) => 'shortage' in destination));
});

t.test('without a local port left, a port is not judged, and one on another address is', { skip }, async (t) => {
  const told = await run(
    `exec unshare --net sh -c 'ip link set lo up &&
      echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range && exec "$0" "$@"'`,
    `${PROBER}
    import { connect, createServer } from 'node:net';
    import { once } from 'node:events';
    const server = createServer().listen(3000, '0.0.0.0');
    await once(server, 'listening');
    for (let i = 0; i < 4; i++) await once(connect({ host: '127.0.0.1', port: 3000 }), 'connect');
    const prober = new Prober({ ...config, probeTimeoutMs: 200 });
    const probe = (...addresses) => prober.probe({ addresses, error: null }, 3000);
    tell([await probe('127.0.0.1'), await probe('127.0.0.2'), await probe('127.0.0.1', '::1')]);
    process.exit();`,
  );
  const notJudged = { outcome: 'not-judged', responseTimeMs: null, error: 'EADDRNOTAVAIL' };
  t.match(told, [notJudged, { outcome: 'open' }, notJudged], 'that ::1 refuses does not say that nothing listens');
});

t.test('where IPv6 is switched off, ::1 is no address, and 127.0.0.1 alone is judged', { skip }, async (t) => {
  const told = await run(
    `exec unshare --net sh -c 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && ip link set lo up &&
      exec "$0" "$@"'`,
    `${PROBER}
    import { createServer } from 'node:net';
    import { once } from 'node:events';
    await once(createServer().listen(3000, '127.0.0.1').unref(), 'listening');
    const prober = new Prober(config);
    const probe = (port, ...addresses) => prober.probe({ addresses, error: null }, port);
    tell([await probe(3000, '127.0.0.1', '::1'), await probe(3001, '127.0.0.1', '::1'), await probe(3001, '::1')]);`,
  );
  t.match(told, [{ outcome: 'open' }, { outcome: 'refused' }, { outcome: 'unreachable', error: 'EADDRNOTAVAIL' }]);
});
