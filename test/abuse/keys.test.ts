// A key that was sent where it does not belong stands neither in the log nor in an answer.
import { request } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import t from 'tap';
import { startSmallService } from '../helpers/beside.js';
import { bearer } from '../helpers/keys.js';

/** Capitals and the other characters that such a key can have, longer than what a refusal quotes. */
const ADMIN_KEY = 'Kx7-Qm_2vT9zLpW4sB1nYcR8dF5hJ0gA.eUiOq-6-longer-than-what-is-quoted';

const encode = (key: string) => [...key].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('');
const MCP = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

interface Attempt {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

/** Every way in which the text of a request can come back or be logged, with the key in it. */
function attemptsWith(key: string): Attempt[] {
  const json = { 'content-type': 'application/json' };
  const post = (path: string, body: unknown, headers = {}): Attempt => ({
    method: 'POST',
    path,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { ...json, ...headers },
  });
  const rpc = (message: object, headers = {}) =>
    post('/mcp', { jsonrpc: '2.0', id: 1, ...message }, { ...MCP, ...headers });
  const tool = (name: string, input: unknown) => rpc({ method: 'tools/call', params: { name, arguments: input } });
  const once = encode(key);
  const spellings = [
    key,
    key.toLowerCase(),
    key.toUpperCase(),
    once,
    once.replaceAll('%', '%25'),
    `%${once.slice(1, 3)}${key.slice(1)}`,
  ];
  const services = '/v1/projects/odin/services';
  return [
    ...spellings.flatMap((spelled) => [
      { method: 'GET', path: `/v1/${spelled}` },
      { method: 'GET', path: `/v1/allocations/${spelled}` },
      { method: 'GET', path: `/v1/allocations?cursor=${spelled}` },
      { method: 'GET', path: `/v1/allocations?project=${spelled}` },
      { method: 'GET', path: `/v1/allocations?${spelled}=1` },
      { method: 'PUT', path: `${services}/${spelled}` },
      { method: 'PUT', path: `${services}/feature/${spelled}` },
      { method: 'DELETE', path: `/v1/api-keys/${spelled}` },
      { method: 'PROPFIND', path: `/${spelled}` },
      { method: 'GET', path: `/assets/${spelled}` },
      { method: 'GET', path: `/docs/${spelled}` },
      { method: 'GET', path: `/v1/ports/${spelled}` },
      { method: 'GET', path: `/${spelled}%` },
    ]),
    { method: 'GET', path: '/v1/ranges', headers: { 'x-request-id': key } },
    { method: 'GET', path: '/v1/nothing', headers: { 'x-request-id': key } },
    { method: 'GET', path: '/v1/nothing', headers: { 'x-request-id': key.toLowerCase() } },
    { method: 'GET', path: '/v1/ranges', headers: { origin: `https://${key}.example` } },
    { method: 'GET', path: '/v1/ranges', headers: { accept: key } },
    { method: 'PUT', path: `${services}/web`, headers: { 'content-type': key }, body: '{}' },
    { method: 'PUT', path: `${services}/web`, headers: { 'content-encoding': key, ...json }, body: '{}' },
    { method: 'PUT', path: `${services}/web`, headers: { 'content-type': `text/plain; charset=${key}` }, body: 'x' },
    { method: 'GET', path: '/v1/ranges', headers: { authorization: `Basic ${key}` } },
    { method: 'GET', path: '/v1/ranges', headers: { authorization: `Bearer ${key}x` } },
    post('/v1/projects/odin/allocations', { service: 'web' }, { 'idempotency-key': `${key}\u00e9` }),
    post('/v1/projects/odin/allocations', { service: key }),
    post('/v1/projects/odin/allocations', { service: `feature/${key}` }),
    post('/v1/projects/odin/allocations', { service: 'web', [key]: 1 }),
    post('/v1/projects/odin/allocations', { service: 'web', metadata: { [key]: '\u0007' } }),
    post('/v1/projects/odin/allocations', { service: 'web', host: `${key} ` }),
    post('/v1/projects/odin/allocations', { service: 'web', protocol: key }),
    post('/v1/projects/odin/allocations', { service: 'web', port: key }),
    post('/v1/projects/odin/allocations', `{"service": ${key}}`),
    post('/v1/projects/odin/allocations', `{"service": "web" "${key}"}`),
    post('/v1/projects/odin/allocations', `{"${key}": 1, "${key}": 2}`),
    post('/v1/projects/odin/allocations', key),
    post('/v1/projects/odin/environments', {}),
    post('/v1/api-keys', { name: 'x', role: 'reader', expiresAt: key }),
    post('/v1/api-keys', { name: 'x', role: key }),
    post('/v1/api-keys', { name: 'x', role: 'project', projects: [key] }),
    post('/v1/audits', { host: key }),
    {
      ...post('/v1/imports', `$ export KEY=${key}\nLISTEN 0 1 *:3100 *:*\n`),
      headers: { 'content-type': 'text/plain' },
    },
    {
      ...post('/v1/imports', `${'x '.repeat(45)}${key}\nLISTEN 0 1 *:3100 *:*\n`),
      headers: { 'content-type': 'text/plain' },
    },
    tool('get-port', { project: 'odin', service: key }),
    tool('get-port', { project: 'odin', service: `feature/${key}` }),
    tool('get-port', { project: 'odin', service: 'web', [key]: 1 }),
    tool('get-port', { project: 'odin', service: 'web', cwd: `/srv/${key}` }),
    tool('get-port', { service: 'web', cwd: key }),
    tool('get-port', { project: 'odin', service: 'web', environment: key }),
    tool('get-port', { project: 'odin', service: 'web', environment: `feature/${key}` }),
    tool('get-environment-ports', { project: 'odin', services: ['web', key] }),
    tool('get-environment-ports', { project: key, services: ['web'] }),
    tool('release-environment', { project: 'odin', environment: key }),
    tool('update-port', { project: 'odin', service: 'web', metadata: JSON.stringify({ [key]: '\u0007' }) }),
    tool('update-port', { project: 'odin', service: 'web', metadata: `{"${key}": 1, "${key}": 2}` }),
    tool('update-port', { project: 'odin', service: 'web', metadata: key }),
    tool('update-port', { project: 'odin', service: 'web', clear: [key] }),
    tool('list-ports', { cursor: key }),
    tool('describe-port', { port: key }),
    tool(key, {}),
    tool('get-port', key),
    rpc({ method: 'tools/call', params: { name: 'get-port', arguments: { service: 'web' } } }, { folder: key }),
    rpc({ method: key }),
    rpc({ method: 'tools/call', params: { [key]: 1 } }),
    rpc({ method: 'tools/call', params: { name: { [key]: 1 } } }),
    rpc({ method: 'tools/list' }, { 'mcp-protocol-version': key }),
    rpc({ method: 'tools/list' }, { 'mcp-session-id': key }),
    rpc({
      method: 'initialize',
      params: { protocolVersion: key, capabilities: {}, clientInfo: { name: 'x', version: '1' } },
    }),
    rpc({ method: 'resources/read', params: { uri: key } }),
    post(`/mcp?tools=${key}`, { jsonrpc: '2.0', id: 1, method: 'tools/list' }, MCP),
    post('/mcp', key, MCP),
    post('/mcp', `[${JSON.stringify({ jsonrpc: '2.0', id: 1, method: key })}]`, MCP),
    post('/mcp', JSON.stringify({ jsonrpc: key, id: 1, method: 'tools/list' }), MCP),
  ];
}

/** The whole answer as text, its headers included. A path is sent as it is, which `fetch` would not do. */
function send(url: string, { method, path, headers, body }: Attempt): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { method, path, headers: { ...bearer(ADMIN_KEY), ...headers } };
    const asked = request(url, options, (response) => {
      readText(response).then(
        (text) => resolve(`${response.statusCode} ${response.rawHeaders.join('\n')}\n\n${text}`),
        reject,
      );
    });
    asked.on('error', reject).end(body);
  });
}

/** Whether a text has 20 characters of a key: in any case, and percent-encoded up to three times. */
function holds(text: string, secret: string): boolean {
  let plain = text;
  for (let times = 0; times < 3; times++) {
    plain = plain.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
  return plain.toLowerCase().includes(secret.slice(0, 20).toLowerCase());
}

t.test('no key stands in the log or in an answer, whatever place it was sent in', async (t) => {
  const service = await startSmallService(t, { ADMIN_API_KEY: ADMIN_KEY, LOG_LEVEL: 'trace', BASE_PATH: '/ports' });
  const url = await service.url;
  const wanted = { name: 'k', role: 'project', projects: ['odin'] };
  const made = await service.call('POST', '/v1/api-keys', wanted, { headers: bearer(ADMIN_KEY) });
  const stored: string = made.body.key;
  let sent = 0;
  for (const key of [stored, ADMIN_KEY]) {
    const secret = key === stored ? key.slice('pa__'.length + 32) : key;
    const found: string[] = [];
    for (const attempt of [...attemptsWith(key), { method: 'GET', path: `/ports?key=${key}` }]) {
      const answer = await send(url, attempt);
      sent += 1;
      if (holds(answer, secret) || /^5/.test(answer)) found.push(`${JSON.stringify(attempt)} got ${answer}`);
    }
    t.same(found, [], 'in no answer');
    const log = service.output().split('\n');
    t.same(
      log.filter((line) => holds(line, secret)),
      [],
      'in no line of the log',
    );
  }
  const lines = service.output().split('\n').length;
  t.ok(lines > sent / 2, 'most of it was logged');
  t.comment(`${sent} requests with a key in them, ${lines} lines of the log`);
});
