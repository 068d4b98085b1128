// The names of other hosts in an audit.
import { sql } from 'kysely';
import t from 'tap';
import { loadConfig } from '../../../src/config.js';
import { unobserved } from '../../../src/observer.js';
import { Registry } from '../../../src/registry/registry.js';
import { runAudit } from '../../../src/services/audits/audit.js';
import { Prober } from '../../../src/services/probes/prober.js';
import { openPostgres } from '../../helpers/database.js';
import { startDnsServer } from '../../helpers/dns-server.js';
import { listen } from '../../helpers/listeners.js';

const HOST = '127.0.0.95';

t.test(
  'a name is looked up once in an audit, and names without an answer make no other port unreachable',
  async (t) => {
    const { db } = await openPostgres(t);
    const slow = Array.from({ length: 40 }, (_, i) => `slow-${i}.test`);
    const dns = await startDnsServer(t, { 'good.test': HOST }, (name) => name.startsWith('slow-'));
    await listen(t, HOST, 3300);
    await sql`insert into port_allocations (port, project, service, host)
    select 3300 + i, 'odin', 'good-' || i, 'good.test' from generate_series(0, 9) i`.execute(db);
    await sql`insert into port_allocations (port, project, service, host) values (3300, 'odin', 'here', 'localhost')`.execute(
      db,
    );
    await sql`insert into port_allocations (port, project, service, host)
    select 3300, 'odin', 'slow', host from unnest(${slow}::text[]) host`.execute(db);
    const variables = { PROBE_ALLOWED_HOSTS: [...slow, 'good.test'].join(','), PROBE_TIMEOUT_MS: '500' };
    const sources = { hostsFile: '/none', resolvConf: '/none', servers: [dns.address] };
    const prober = new Prober(loadConfig(variables), unobserved, sources);

    const { conflicts } = await runAudit(new Registry(db).asBackground(), prober, {
      project: 'odin',
      unallocated: true,
    });
    const of = (host: string) =>
      conflicts.filter((one) => one.host === host).map(({ kind, port }) => `${kind} ${port}`);
    t.same(
      of('good.test'),
      Array.from({ length: 9 }, (_, i) => `not-running ${3301 + i}`),
    );
    t.notOk(of('localhost').some((text) => !/^(not-running|squatter)/.test(text)));
    for (const host of slow) t.same(of(host), ['unreachable 3300'], 'that is about its server, not about this process');
    t.same(dns.asked.filter((name) => name === 'good.test').length, 2, 'once for IPv4 and once for IPv6');
  },
);
