import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../../src/config.js';
import { NameResolver } from '../../../src/services/probes/names.js';
import { Prober } from '../../../src/services/probes/prober.js';
import { makeDataDir } from '../../helpers/database.js';
import { startDnsServer } from '../../helpers/dns-server.js';

const never = new AbortController().signal;

interface Files {
  hosts?: string;
  resolvConf?: string;
}

async function makeSources(t: Test, server: string, { hosts = '', resolvConf = '' }: Files = {}) {
  const folder = await makeDataDir(t);
  const sources = { hostsFile: join(folder, 'hosts'), resolvConf: join(folder, 'resolv.conf'), servers: [server] };
  await writeFile(sources.hostsFile, hosts);
  await writeFile(sources.resolvConf, resolvConf);
  return sources;
}

t.test('names whose server keeps silent do not make another name unreachable, however many there are', async (t) => {
  const slow = Array.from({ length: 40 }, (_, i) => `slow-${i}.test`);
  const dns = await startDnsServer(t, { 'good.test': '127.0.0.9' }, (name) => name.startsWith('slow-'));
  const variables = { PROBE_ALLOWED_HOSTS: [...slow, 'good.test'].join(','), PROBE_TIMEOUT_MS: '700' };
  const prober = new Prober(loadConfig(variables), undefined, await makeSources(t, dns.address));
  const late = slow.map((host) => prober.resolve(host));
  t.same(await prober.resolve('good.test'), { host: 'good.test', addresses: ['127.0.0.9'], error: null });
  for (const [i, destination] of (await Promise.all(late)).entries()) {
    t.same(destination, { host: slow[i], addresses: [], error: `${slow[i]} was not resolved in time` });
  }
});

t.test('a name that is slow takes no longer than its timeout, and ends at once when the prober stops', async (t) => {
  const dns = await startDnsServer(t, {}, () => true);
  const variables = { PROBE_ALLOWED_HOSTS: 'slow.test', PROBE_TIMEOUT_MS: '60000' };
  const prober = new Prober(loadConfig(variables), undefined, await makeSources(t, dns.address));
  const resolving = prober.resolve('slow.test');
  const begun = performance.now();
  setTimeout(() => prober.stop(), 100);
  await t.rejects(resolving, { code: 'overloaded' });
  t.ok(performance.now() - begun < 10_000, 'far less than the timeout');
  const { length } = dns.asked;
  await t.rejects(prober.resolve('slow.test'), { code: 'overloaded' });
  t.equal(dns.asked.length, length, 'and nothing is asked any more');
});

t.test('the hosts file comes first, and its names ask no server', async (t) => {
  const dns = await startDnsServer(t, { 'both.test': '127.0.0.9' }, () => false);
  const hosts = '127.0.0.5\tBoth.test docker # 127.0.0.6 comment.test\n::5 both.test\nnonsense both.test\n';
  const names = new NameResolver(1000, await makeSources(t, dns.address, { hosts }));
  t.same(await names.resolve('both.test', never), { addresses: ['127.0.0.5', '::5'], error: null });
  t.same(await names.resolve('docker', never), { addresses: ['127.0.0.5'], error: null });
  t.same(dns.asked, []);
  t.same(await names.resolve('comment.test', never), { addresses: [], error: 'comment.test: ENOTFOUND' });
});

t.test('the search domains of resolv.conf are tried in its order', async (t) => {
  const dns = await startDnsServer(t, { 'web.ns.test': '127.0.0.5', 'a.b': '127.0.0.6', plain: '127.0.0.7' });
  const resolvConf = 'nameserver 192.0.2.1\nsearch other.test ns.test\noptions edns0 ndots:1\n';
  const names = new NameResolver(1000, await makeSources(t, dns.address, { resolvConf }));
  const ask = async (name: string) => {
    dns.asked.length = 0;
    const { addresses } = await names.resolve(name, never);
    return { addresses, asked: [...new Set(dns.asked)] };
  };
  t.same(await ask('web'), { addresses: ['127.0.0.5'], asked: ['web.other.test', 'web.ns.test'] });
  t.same(await ask('a.b'), { addresses: ['127.0.0.6'], asked: ['a.b'] });
  t.same(await ask('plain'), { addresses: ['127.0.0.7'], asked: ['plain.other.test', 'plain.ns.test', 'plain'] });
  t.same(await ask('no.no'), { addresses: [], asked: ['no.no', 'no.no.other.test', 'no.no.ns.test'] });
});

t.test('a container’s name is asked for as it is, where resolv.conf says ndots:0', async (t) => {
  const dns = await startDnsServer(t, { db: '172.17.0.2' }, (name) => name !== 'db');
  const resolvConf = 'search corp.test\noptions ndots:0\n';
  const names = new NameResolver(1000, await makeSources(t, dns.address, { resolvConf }));
  t.same(await names.resolve('db', never), { addresses: ['172.17.0.2'], error: null });
});

t.test('without the files there are no search domains', async (t) => {
  const dns = await startDnsServer(t, { 'good.test': '127.0.0.9' });
  const sources = { hostsFile: '/nope/hosts', resolvConf: '/nope/resolv.conf', servers: [dns.address] };
  t.same((await new NameResolver(1000, sources).resolve('good.test', never)).addresses, ['127.0.0.9']);
});
