import t from 'tap';
import { parse } from 'yaml';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';

for (const [name, open] of databases) {
  t.test(`exports, on ${name}`, async (t) => {
    const request = requester(await makeApp(t, await open(t)));
    const put = (path: string, body: object = {}) => request('PUT', `/v1/projects/${path}`, body);
    const read = async (format: string, query = '') => {
      const answer = await request('GET', `/v1/exports/${format}${query}`);
      t.equal(answer.status, 200, `${format}${query}: ${answer.text}`);
      return answer;
    };

    await t.test('exports of an empty registry are valid for every consumer', async (t) => {
      t.equal((await read('dotenv')).text, '');
      t.same(parse((await read('cloudflared')).text), { ingress: [{ service: 'http_status:404' }] });
      t.same((await read('prometheus')).body, []);
      t.same((await read('traefik')).body, {}, 'Traefik refuses empty maps');
      t.same((await read('consul')).body, { services: [] });
    });

    const api = (await put('consilio/services/api', { cloudflareHostname: 'api.example.com', serviceType: 'http' }))
      .body;
    await put('odin/services/api', { cloudflareHostname: 'API.example.com' });
    await put('odin/services/wild?host=10.0.0.7', { cloudflareHostname: '*.example.com', serviceType: 'https' });
    await put('odin/services/six?host=fd00::7', { cloudflareHostname: 'a.b.example.com' });
    await put('odin/services/shell', { cloudflareHostname: 'ssh.example.com', serviceType: 'ssh' });
    await put('odin/services/dns?protocol=udp');
    const released = (await put('odin/services/gone', { cloudflareHostname: 'gone.example.com' })).body;
    await request('DELETE', `/v1/allocations/${released.id}`);

    t.test('every environment is exported unless one is named', async (t) => {
      const staging = (await put('odin/services/api?environment=staging')).body;
      const environmentsOf = async (query: string) =>
        (await read('prometheus', query)).body
          .map(({ labels }: { labels: object }) => labels)
          .map(({ environment }: { environment: string }) => environment);
      t.ok((await environmentsOf('?project=odin')).includes('staging'));
      t.ok((await environmentsOf('?project=odin')).includes('default'));
      t.same(await environmentsOf('?project=odin&environment=staging'), ['staging']);
      await request('DELETE', `/v1/allocations/${staging.id}`);
    });

    t.test('cloudflared routes each hostname to its first holder, wildcards late and the catch-all last', async (t) => {
      const answer = await read('cloudflared');
      t.match(answer.headers['content-type'], /^application\/yaml/);
      t.same(parse(answer.text).ingress, [
        { hostname: 'a.b.example.com', service: 'http://[fd00::7]:3300' },
        { hostname: 'api.example.com', service: 'http://localhost:3100' },
        { hostname: 'ssh.example.com', service: 'ssh://localhost:3301' },
        { hostname: '*.example.com', service: 'https://10.0.0.7:3300' },
        { service: 'http_status:404' },
      ]);
      t.equal(answer.headers['x-duplicate-hostnames'], 'api.example.com');
    });

    t.test('the later holder of a hostname is left out whatever the export is limited to', async (t) => {
      const answer = await read('cloudflared', '?project=odin&host=localhost');
      t.same(
        parse(answer.text).ingress.map(({ hostname }: { hostname?: string }) => hostname),
        ['ssh.example.com', undefined],
      );
      t.equal(answer.headers['x-duplicate-hostnames'], 'api.example.com');
      t.equal((await read('cloudflared', '?project=consilio')).headers['x-duplicate-hostnames'], undefined);
    });

    t.test('Prometheus gets a target group for each TCP port', async (t) => {
      const { body, headers } = await read('prometheus');
      t.match(headers['content-type'], /^application\/json/);
      t.same(body[0], {
        targets: ['localhost:3100'],
        labels: {
          project: 'consilio',
          service: 'api',
          environment: 'default',
          __meta_port_allocator_id: api.id,
          __meta_port_allocator_host: 'localhost',
          __meta_port_allocator_status: 'allocated',
          __meta_port_allocator_service_type: 'http',
          __meta_port_allocator_cloudflare_hostname: 'api.example.com',
        },
      });
      const targets = body.map((group: { targets: string[] }) => group.targets[0]);
      t.same(
        targets,
        ['localhost:3100', 'localhost:3300', 'localhost:3301', '[fd00::7]:3300', '10.0.0.7:3300'],
        'by project, environment and service; UDP is not scraped',
      );
      const again = (await read('prometheus', '?project=consilio&environment=default&host=LOCALHOST')).body;
      t.equal(again.length, 1);
    });

    t.test('Traefik gets a router and a service for each HTTP hostname', async (t) => {
      const { http } = (await read('traefik')).body;
      const routers = Object.values<{ rule: string; service: string; priority: number }>(http.routers);
      const rules = routers.map(({ rule, service, priority }) => [
        rule,
        priority,
        http.services[service].loadBalancer.servers[0].url,
      ]);
      t.same(rules.sort(), [
        ['Host(`a.b.example.com`)', 23, 'http://[fd00::7]:3300'],
        ['Host(`api.example.com`)', 23, 'http://localhost:3100'],
        ['HostRegexp(`^[^.]+\\.example\\.com$`)', 3, 'https://10.0.0.7:3300'],
      ]);
    });

    t.test('a UDP port takes no hostname from a TCP port, whichever came first', async (t) => {
      await put('quiculum-monitor/services/u?protocol=udp', { cloudflareHostname: 'u.example.com' });
      const tcp = (await put('quiculum-monitor/services/t', { cloudflareHostname: 'u.example.com' })).body;
      await put('quiculum-monitor/services/later?protocol=udp', { cloudflareHostname: 'u.example.com' });
      const cloudflared = await read('cloudflared', '?project=quiculum-monitor');
      t.match(parse(cloudflared.text).ingress, [
        { hostname: 'u.example.com', service: `http://localhost:${tcp.port}` },
        { service: 'http_status:404' },
      ]);
      t.equal(cloudflared.headers['x-duplicate-hostnames'], 'u.example.com', 'yet it is told that several claim it');
      const traefik = (await read('traefik', '?project=quiculum-monitor')).body;
      t.match(Object.values(traefik.http.routers), [{ rule: 'Host(`u.example.com`)' }]);
      await request('DELETE', '/v1/projects/quiculum-monitor/environments/default');
      await request('DELETE', '/v1/projects/quiculum-monitor/environments/default?protocol=udp');
    });

    t.test('Consul gets definitions with a TCP check', async (t) => {
      const { services } = (await read('consul', '?project=odin&host=10.0.0.7')).body;
      t.equal(services.length, 1);
      t.match(services[0], {
        name: 'wild',
        port: 3300,
        address: '10.0.0.7',
        tags: ['odin', 'default'],
        meta: { project: 'odin', environment: 'default', serviceType: 'https', cloudflareHostname: '*.example.com' },
        checks: [{ tcp: '10.0.0.7:3300', interval: '10s', timeout: '1s' }],
      });
      const [local] = (await read('consul', '?project=consilio')).body.services;
      t.notOk('address' in local, "an agent's own address is Consul's default");
    });

    t.test('dotenv names each service once, and refuses to choose between places', async (t) => {
      t.equal((await read('dotenv', '?project=consilio')).text, 'API_PORT=3100\n');
      const refused = await request('GET', '/v1/exports/dotenv');
      t.equal(refused.status, 409);
      t.equal(refused.body.code, 'dotenv-name-conflict');
      t.match(refused.body.detail, /API_PORT would be that of api in consilio .* and odin .*Ask for one project/);
    });

    t.test('an unchanged export is not sent again', async (t) => {
      const { headers } = await read('traefik');
      for (const etag of [String(headers.etag), `W/${headers.etag}`, `"x", ${headers.etag}`, '*']) {
        const answer = await request('GET', '/v1/exports/traefik', undefined, { 'if-none-match': etag });
        t.equal(answer.status, 304, etag);
        t.equal(answer.text, '');
        t.equal(answer.headers.etag, headers.etag);
      }
      const likeFetch = { 'if-none-match': String(headers.etag), 'cache-control': 'no-cache', pragma: 'no-cache' };
      t.equal((await request('GET', '/v1/exports/traefik', undefined, likeFetch)).status, 304, 'as fetch() asks');
      await put('consilio/services/new', { cloudflareHostname: 'new.example.com' });
      const changed = await request('GET', '/v1/exports/traefik', undefined, { 'if-none-match': String(headers.etag) });
      t.equal(changed.status, 200);
    });

    t.test('an unknown format is refused, and the refusal lists the formats', async (t) => {
      const unknown = await request('GET', '/v1/exports/xml');
      t.equal(unknown.status, 400);
      t.match(JSON.stringify(unknown.body), /dotenv.*cloudflared.*prometheus.*traefik.*consul/);
      t.equal((await request('GET', '/v1/exports/traefik?nope=1')).status, 400);
      t.equal((await request('GET', '/v1/exports/consul?project=nobody')).body.code, 'project-not-found');
      const accept = { accept: 'text/plain' };
      t.equal((await request('GET', '/v1/exports/traefik', undefined, accept)).body.code, 'not-acceptable');
    });
  });
}
