// Which requests are taken for forwarded ones while no keys are in force. test/plugins/addresses.test.ts has the `Host`.
import { connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { WITH_KEYS } from '../helpers/keys.js';
import { assertProblem } from '../helpers/problems.js';

/** By product, headers that it adds to the requests that it forwards. */
const OF_PROXIES = {
  'the standards': ['Forwarded', 'Via', 'CDN-Loop'],
  'Apache, Caddy and others': ['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Server'],
  Traefik: ['X-Forwarded-Port', 'X-Real-Ip'],
  'nginx, as it is usually configured': ['X-Real-IP', 'X-Scheme', 'X-NginX-Proxy', 'X-Original-URI'],
  'IIS and Azure': [
    'X-Original-URL',
    'X-Original-Host',
    'X-Original-For',
    'X-Rewrite-URL',
    'X-ARR-LOG-ID',
    'X-ARR-SSL',
    'Front-End-Https',
    'X-Azure-ClientIP',
    'X-Azure-FDID',
  ],
  Envoy: ['X-Envoy-External-Address', 'X-Envoy-Expected-Rq-Timeout-Ms', 'X-Envoy-Original-Path'],
  Linkerd: ['l5d-client-id'],
  Cloudflare: ['CF-Connecting-IP', 'CF-Ray', 'CF-Visitor', 'CF-IPCountry', 'True-Client-IP'],
  AWS: ['X-Amz-Cf-Id', 'CloudFront-Viewer-Address'],
  Google: ['X-AppEngine-User-IP', 'X-AppEngine-Country'],
  Akamai: ['Akamai-Origin-Hop', 'X-Akamai-Edgescape'],
  Fastly: ['Fastly-Client-IP', 'Fastly-SSL', 'X-Varnish'],
  'Fly, Vercel, Netlify and DigitalOcean': [
    'Fly-Client-IP',
    'Fly-Region',
    'X-Vercel-Id',
    'X-Nf-Client-Connection-Ip',
    'DO-Connecting-IP',
  ],
  tunnels: ['Tailscale-User-Login', 'Ngrok-Auth-User-Id', 'X-Proxy'],
  'proxies that ask for a login': [
    'X-Goog-IAP-JWT-Assertion',
    'X-Goog-Authenticated-User-Email',
    'X-Pomerium-Jwt-Assertion',
    'X-Auth-Request-User',
  ],
  others: [
    'Client-IP',
    'X-Client-IP',
    'X-Cluster-Client-IP',
    'X-Remote-Addr',
    'Incap-Client-IP',
    'X-Sucuri-ClientIP',
    'X-BlueCoat-Via',
    'X-ProxyUser-Ip',
    'Surrogate-Capability',
  ],
};

/** Headers that programs send by themselves. */
const OF_CLIENTS = {
  'x-request-id': 'a1',
  'x-correlation-id': 'a1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'a=b',
  baggage: 'a=b',
  b3: '0',
  'x-b3-traceid': '80f198ee56343ba864fe8b2a57d3eff7',
  'uber-trace-id': '1:1:0:1',
  'x-amzn-trace-id': 'Root=1-67891233-abcdef012345678912345678',
  'x-cloud-trace-context': '105445aa7843bc8bf206b12000100000/1;o=1',
  'sentry-trace': '1-1',
  'x-requested-with': 'XMLHttpRequest',
  'x-client-name': 'ci',
  'x-csrf-token': 'a',
  'sec-fetch-site': 'same-origin',
  'user-agent': 'Mozilla/5.0',
  'upgrade-insecure-requests': '1',
  upgrade: 'h2c',
  'mcp-protocol-version': '2025-11-25',
  'x-stainless-lang': 'js',
};

t.test('without authentication', async (t) => {
  const { db } = await openPostgres(t);
  const app = await makeApp(t, { db });
  const request = requester(app);
  const exchange = await listen(app);

  t.test('a request with a header that a proxy added is refused, and the header is named', async (t) => {
    for (const [proxy, names] of Object.entries(OF_PROXIES)) {
      for (const name of names) {
        const answer = await request('GET', '/v1/ranges', undefined, { [name]: '192.0.2.1' });
        t.match(assertProblem(t, answer, 'forbidden').detail, `has ${name.toLowerCase()}.`, `${proxy}: ${name}`);
      }
    }
  });

  t.test('however such a header is written: capitals, underscores, twice, empty, last of many', async (t) => {
    for (const header of [
      'x-FORWARDED-for: 192.0.2.1',
      'X_Forwarded_For: 192.0.2.1',
      'x_real-ip: 192.0.2.1',
      'X_REAL_IP: 192.0.2.1',
      'CF_CONNECTING_IP: 192.0.2.1',
      'cDN_lOOP: a',
      'X-Forwarded-For:',
      'Via: ',
      'Forwarded:\r\nForwarded:',
      'X-Real-IP: 192.0.2.1\r\nX-Real-IP: 127.0.0.1',
    ]) {
      const text = await exchange(`GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${header}\r\n\r\n`);
      t.match(text, /^HTTP\/1.1 403 .*answers no forwarded requests/s, header);
    }
    const many = (count: number) => `Connection: close\r\n${'a:\r\n'.repeat(count)}X-Forwarded-For: 192.0.2.1\r\n\r\n`;
    t.match(await exchange(`GET /livez HTTP/1.1\r\nHost: localhost\r\n${many(97)}`), /^HTTP\/1.1 403 /);
    t.match(await exchange(`GET /livez HTTP/1.1\r\nHost: localhost\r\n${many(1000)}`), /^HTTP\/1.1 400 /);
    t.match(
      await exchange(`GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: example.com\r\n${many(0)}`),
      /^HTTP\/1.1 400 /,
    );
  });

  t.test('what programs send by themselves is answered', async (t) => {
    for (const [name, value] of Object.entries(OF_CLIENTS)) {
      t.equal((await request('GET', '/v1/ranges', undefined, { [name]: value })).status, 200, name);
    }
  });

  t.test('HTTP/1.0, in which nginx forwards requests by default, is refused but for health checks', async (t) => {
    const byNginx = 'Host: 127.0.0.1:8080\r\nConnection: close\r\n';
    for (const path of ['/v1/ranges', '/', '/metrics', '/openapi.json', '/nowhere']) {
      t.match(await exchange(`GET ${path} HTTP/1.0\r\n${byNginx}\r\n`), /^HTTP\/1.1 403 .*no requests in HTTP\/1\.0/s);
      t.match(await exchange(`GET ${path} HTTP/1.0\r\n\r\n`), /^HTTP\/1.1 403 /, path);
    }
    for (const path of ['/livez', '/readyz', '/livez?a=b']) {
      for (const headers of ['', byNginx]) {
        t.match(await exchange(`GET ${path} HTTP/1.0\r\n${headers}\r\n`), /^HTTP\/1.1 200 /, path + headers);
      }
      t.match(await exchange(`HEAD ${path} HTTP/1.0\r\n\r\n`), /^HTTP\/1.1 200 /);
      t.match(await exchange(`GET ${path} HTTP/1.0\r\nHost: example.com\r\n\r\n`), /^HTTP\/1.1 403 /);
      t.match(await exchange(`GET ${path} HTTP/1.0\r\nVia: 1.1 proxy\r\n\r\n`), /^HTTP\/1.1 403 /);
    }
    t.match(await exchange('GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 400 .*host is required/s);
  });
});

t.test('with authentication, HTTP/1.0 is answered, on the health endpoints also without Host and key', async (t) => {
  const exchange = await listen(await makeApp(t, await openPostgres(t), WITH_KEYS));
  t.match(await exchange('GET /livez HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 200 /);
  t.match(await exchange('GET /readyz HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 200 /);
  const key = `Authorization: Bearer ${WITH_KEYS.ADMIN_API_KEY}\r\n`;
  t.match(await exchange(`GET /v1/ranges HTTP/1.0\r\n${key}\r\n`), /^HTTP\/1.1 200 /);
  t.match(await exchange('GET /v1/ranges HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 401 /);
});

/** Returns a function that sends bytes as they are, and resolves to everything that comes back. */
async function listen(app: FastifyInstance): Promise<(bytes: string) => Promise<string>> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as { port: number };
  return (bytes) =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      socket.on('error', reject).on('close', () => resolve(text));
    });
}
