// Behind a real nginx, under a sub-path; `npm test -- abuse` finds or fetches it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { findFreePort } from '../../scripts/postgres.js';
import { createDatabase } from '../helpers/database.js';
import { ADMIN, bearer, WITH_KEYS } from '../helpers/keys.js';
import { startService } from '../helpers/service.js';

t.setTimeout(120_000);

/** nginx's default for idle connections to its upstreams. nginx must be the first to close them. */
const NGINX_IDLE_SECONDS = 60;
const LIMIT = 40;

interface Ports {
  stripped: number;
  kept: number;
  bare: number;
}

/**
 * Two ways to put a service under a sub-path: nginx removes the path (`stripped`) or passes it on (`kept`). `bare` has
 * nothing but a `proxy_pass`, so that everything else is as nginx has it by default.
 */
const configuration = (folder: string, service: string, ports: Ports) => `
daemon off;
pid ${folder}/pid;
error_log ${folder}/error.log;
events { worker_connections 512; }
http {
  access_log off;
  client_max_body_size 2m;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  upstream port_allocator { server ${service}; keepalive 8; keepalive_timeout ${NGINX_IDLE_SECONDS}s; }
  server { listen 127.0.0.1:${ports.stripped}; ${SETTINGS} location /ports/ { proxy_pass http://port_allocator/; } }
  server { listen 127.0.0.1:${ports.kept}; ${SETTINGS} location /ports/ { proxy_pass http://port_allocator; } }
  server { listen 127.0.0.1:${ports.bare}; location / { proxy_pass http://${service}; } }
}`;
const SETTINGS = `
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;`;

async function startNginx(t: Test, service: string): Promise<Ports> {
  const folder = await mkdtemp(join(tmpdir(), 'port-allocator-nginx-'));
  await chmod(folder, 0o777); // when nginx is started by root, its workers run as another user
  const ports = { stripped: await findFreePort(), kept: await findFreePort(), bare: await findFreePort() };
  const file = join(folder, 'nginx.conf');
  await writeFile(file, configuration(folder, service, ports));
  const nginx = spawn('nginx', ['-p', folder, '-e', join(folder, 'error.log'), '-c', file], { stdio: 'inherit' });
  t.teardown(async () => {
    nginx.kill('SIGTERM');
    await once(nginx, 'close');
    await rm(folder, { recursive: true, force: true });
  });
  for (let attempt = 0; nginx.exitCode === null && attempt < 200; attempt++) {
    if (await ask(ports.kept, '/ports/livez').catch(() => null)) return ports;
    await sleep(50);
  }
  throw new Error('nginx does not answer');
}

interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** The address that the request comes from. All addresses of 127.0.0.0/8 belong to this machine. */
  from?: string;
}

function ask(port: number, path: string, { method = 'GET', headers = {}, body, from = '127.0.0.2' }: Asked = {}) {
  return new Promise<{ status: number; headers: IncomingHttpHeaders; text: string }>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers, localAddress: from, timeout: 20_000 };
    const sent = httpRequest(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      response.on('error', reject);
    });
    sent.on('error', reject).on('timeout', () => sent.destroy(new Error('no answer')));
    sent.end(body);
  });
}

const JSON_BODY = { ...ADMIN, 'content-type': 'application/json' };

t.test('behind nginx under /ports', async (t) => {
  const service = startService(t, {
    ...WITH_KEYS,
    DATABASE_URL: await createDatabase(t, process.env.TEST_TEMPLATE),
    BASE_PATH: '/ports',
    TRUST_PROXY: '127.0.0.1',
    RATE_LIMIT_PER_MINUTE: String(LIMIT),
  });
  await service.ready();
  const upstream = new URL(await service.url).host;
  const ports = await startNginx(t, upstream);

  const { stripped, kept } = ports;
  for (const [how, port] of Object.entries({ stripped, kept })) {
    t.test(`with the path ${how}`, async (t) => {
      const body = JSON.stringify({ service: 'web' });
      const path = '/ports/v1/projects/odin/allocations';
      const made = await ask(port, path, { method: 'POST', headers: JSON_BODY, body });
      t.equal(made.status, 201, made.text);
      const location = made.headers.location as string;
      t.match(location, /^\/ports\/v1\/allocations\//);
      t.equal((await ask(port, location, { headers: ADMIN })).text, made.text, 'Location leads to what was made');

      const page = await ask(port, '/ports/v1/ranges?limit=1', { headers: ADMIN });
      const next = /<([^>]+)>; rel="next"/.exec(page.headers.link as string)?.[1] ?? '';
      t.match((await ask(port, next, { headers: ADMIN })).text, /"project":"consilio"/, 'so does the next page');

      const contract = JSON.parse((await ask(port, '/ports/openapi.json')).text);
      t.same(contract.servers, [{ url: '/ports' }]);
      t.equal((await ask(port, `${contract.servers[0].url}/livez`)).status, 200);

      const root = await ask(port, '/ports/');
      if (root.status === 302)
        t.equal(new URL(root.headers.location as string, 'http://h/ports/').pathname, '/ports/docs/');
      else t.equal(root.status, 200);
      const docs = await ask(port, '/ports/docs/');
      t.equal(docs.status, 200);
      const files = [...docs.text.matchAll(/(?:src|href)="(\.[^"]+)"/g)].map(([, file = '']) => file);
      t.ok(files.length >= 3);
      for (const file of files) {
        t.equal((await ask(port, new URL(file, 'http://h/ports/docs/').pathname)).status, 200, file);
      }

      const refusal = await ask(port, '/ports/v1/nowhere', { headers: ADMIN });
      t.match(JSON.parse(refusal.text), { code: 'not-found' });
    });
  }

  t.test('events come through as they are sent, and tools at /mcp', async (t) => {
    const events = { ...JSON_BODY, accept: 'text/event-stream' };
    const audit = await ask(ports.kept, '/ports/v1/audits', { method: 'POST', headers: events, body: '{}' });
    t.match(audit.text, /^event: progress\n.*event: result\n/s);
    const headers = { ...JSON_BODY, accept: 'application/json, text/event-stream' };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} });
    t.match((await ask(ports.stripped, '/ports/mcp', { method: 'POST', headers, body })).text, /get-port/);
    const large = JSON.stringify({ items: [], padding: 'x'.repeat(1_100_000) });
    for (let i = 0; i < 20; i++) {
      const refused = await ask(ports.kept, '/ports/v1/imports', { method: 'POST', headers: JSON_BODY, body: large });
      t.match(JSON.parse(refused.text), { code: 'payload-too-large' }, 'our refusal, and not nginx’s');
    }
  });

  t.test('clients are distinguished by their addresses, whatever headers they send', async (t) => {
    const guess = (from: string, headers = {}) =>
      ask(ports.kept, '/ports/v1/ranges', { from, headers: { ...bearer('x'.repeat(40)), ...headers } });
    for (let i = 0; i < LIMIT; i++) t.equal((await guess('127.0.0.3')).status, 401);
    t.equal((await guess('127.0.0.3')).status, 429);
    t.equal((await guess('127.0.0.3', { 'x-forwarded-for': '192.0.2.7' })).status, 429);
    t.equal((await guess('127.0.0.4')).status, 401);
  });

  t.test('nginx is the first to close an idle connection', async (t) => {
    const { headers } = await ask(Number(new URL(await service.url).port), '/livez', {
      headers: { connection: 'keep-alive' },
    });
    const seconds = Number(/timeout=(\d+)/.exec(String(headers['keep-alive']))?.[1]);
    t.ok(seconds > NGINX_IDLE_SECONDS, `${headers['keep-alive']}`);
  });
});

t.test('without keys in force, what nginx passes on is refused, and the refusal says what to do', async (t) => {
  const variables = { DATABASE_URL: await createDatabase(t, process.env.TEST_TEMPLATE), BASE_PATH: '/ports' };
  const service = await startService(t, variables).ready();
  const ports = await startNginx(t, new URL(await service.url).host);
  for (const [how, reason] of [
    ['stripped', 'forwarded'],
    ['kept', 'forwarded'],
    ['bare', String.raw`HTTP/1\.0`],
  ] as const) {
    const refusal = await ask(ports[how], '/ports/v1/ranges', { headers: { host: 'localhost' } });
    t.match(JSON.parse(refusal.text), { code: 'forbidden', detail: new RegExp(`${reason}.*ADMIN_API_KEY`) }, how);
  }
  t.equal((await ask(ports.bare, '/livez')).status, 200, 'a health check reveals nothing');
});
