// A stand-in for the endpoints of Cloudflare's API that the service uses, with a state of its own. It checks each request
// and each of its own answers against the shapes in schemas.json.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ajv } from 'ajv';
import type { Test } from 'tap';
import { packageRoot } from '../../../src/package-root.js';
import type { DnsRecord, Rule, TunnelConfiguration } from '../../../src/services/cloudflare/remote.js';

export const TOKEN = 'cf-secret-0123456789abcdefghijklmnopqrst';
export const ACCOUNT_ID = '023e105f4ecef8ad9ca31a8372d0c353';
export const TUNNEL_ID = 'f70ff985-a4ef-4643-bbbc-4a0ed4fc8415';
export const TARGET = `${TUNNEL_ID}.cfargotunnel.com`;
/** The environment of a service that keeps this tunnel in step. */
export const CLOUDFLARE = {
  CLOUDFLARE_API_TOKEN: TOKEN,
  CLOUDFLARE_ACCOUNT_ID: ACCOUNT_ID,
  CLOUDFLARE_TUNNEL_ID: TUNNEL_ID,
  CLOUDFLARE_ZONES: 'example.com, example.org',
};

/** The longest comment of a record, in the free plan. */
const LONGEST_COMMENT = 100;

export type StoredRecord = Omit<DnsRecord, 'zoneId'> & { zone: string };

/** How the stand-in answers one request: not as usual. */
export interface Fault {
  /** `METHOD path`; the fault is for the first request that matches. */
  on: RegExp;
  /** Answers with this status instead of doing what was asked. */
  status?: number;
  headers?: Record<string, string>;
  message?: string;
  /** Does what was asked, and then breaks the connection. */
  breaksAfter?: boolean;
  delayMs?: number;
  /** Called before the request is handled, for example to make a change of somebody else. */
  before?: () => unknown;
  /** Called after it. */
  after?: () => unknown;
}

type Shape =
  | 'TunnelConfigurationRequest'
  | 'TunnelConfiguration'
  | 'TunnelConfigurationUpdated'
  | 'NewRecord'
  | 'Record';
type Name = Shape | 'RecordDeleted' | 'Zone' | 'ResponseInfo';

const { schemas } = JSON.parse(readFileSync(join(packageRoot, 'test/helpers/cloudflare/schemas.json'), 'utf8'));
const ajv = new Ajv({ allErrors: true, strict: false });
const checks = Object.fromEntries(
  Object.entries(schemas).map(([name, schema]) => [name, ajv.compile(schema as object)]),
);

export class CloudflareStandIn {
  version = 1;
  config: TunnelConfiguration | null = null;
  source: 'cloudflare' | 'local' = 'cloudflare';
  records: StoredRecord[] = [];
  readonly zones = ['example.com', 'example.org'];
  readonly faults: Fault[] = [];
  /** `METHOD path` of every request. */
  readonly requests: string[] = [];
  /** What did not fit the published shapes. */
  readonly violations: string[] = [];
  url = '';

  /** A change of the tunnel by somebody else. */
  replace(config: TunnelConfiguration): void {
    this.config = config;
    this.version += 1;
  }

  add(record: Omit<StoredRecord, 'id'>): StoredRecord {
    const added = { id: randomUUID().replaceAll('-', ''), ...record };
    this.records.push(added);
    return added;
  }

  get writes(): string[] {
    return this.requests.filter((line) => !line.startsWith('GET'));
  }

  async answer(request: IncomingMessage, body: unknown): Promise<{ status: number; body: object; headers?: object }> {
    const url = new URL(request.url ?? '/', 'http://stand.in');
    const line = `${request.method} ${url.pathname}`;
    this.requests.push(line);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return refuse(403, 9109, 'Invalid access token');
    const at = this.faults.findIndex(({ on }) => on.test(line));
    const [fault] = at < 0 ? [] : this.faults.splice(at, 1);
    await sleep(fault?.delayMs ?? 0);
    await fault?.before?.();
    if (fault?.status) {
      return { ...refuse(fault.status, 10_000, fault.message ?? 'Fault'), headers: fault.headers ?? {} };
    }
    const answered = this.#handle(line, url.searchParams, body);
    await fault?.after?.();
    if (fault?.breaksAfter) request.socket.destroy();
    return answered;
  }

  #handle(line: string, query: URLSearchParams, body: unknown): { status: number; body: object } {
    const [, method, path = ''] = /^(\w+) (.*)$/.exec(line) ?? [];
    const configurations = `/accounts/${ACCOUNT_ID}/cfd_tunnel/${TUNNEL_ID}/configurations`;
    if (path === configurations && method === 'GET') return this.#succeed('TunnelConfiguration', this.#tunnel());
    if (path === configurations && method === 'PUT') return this.#putConfiguration(body);
    if (path === '/zones' && method === 'GET') {
      const found = this.zones.filter((name) => !query.has('name') || query.get('name') === name);
      return this.#succeedPage('Zone', found.map(toZone), query);
    }
    const [, zone = '', , id] = /^\/zones\/zone-([^/]+)\/dns_records(\/([^/]+))?$/.exec(path) ?? [];
    if (!this.zones.includes(zone)) return refuse(404, 7003, `Could not route to ${path}`);
    const record = this.records.find((one) => one.id === id && one.zone === zone);
    if (id === undefined && method === 'GET') {
      return this.#succeedPage('Record', this.records.filter((one) => one.zone === zone).map(toAnswer), query);
    }
    if (id === undefined && method === 'POST') return this.#postRecord(zone, body);
    if (!record) return refuse(404, 81044, 'Record does not exist.');
    if (method === 'GET') return this.#succeed('Record', toAnswer(record));
    if (method !== 'DELETE') return refuse(405, 10_000, 'Method not allowed');
    this.records = this.records.filter((one) => one !== record);
    return this.#succeed('RecordDeleted', { id: record.id });
  }

  #tunnel() {
    const { version, config, source } = this;
    const common = { tunnel_id: TUNNEL_ID, account_id: ACCOUNT_ID, version, source, created_at: AT };
    return config === null ? common : { ...common, config };
  }

  #putConfiguration(body: unknown) {
    if (!this.#check('TunnelConfigurationRequest', body)) return refuse(400, 1001, 'The request is not valid');
    const { config = {} } = body as { config?: TunnelConfiguration };
    const rules = config.ingress ?? [];
    const matchesAll = ({ hostname = '', path = '' }: Rule) => (hostname === '' || hostname === '*') && path === '';
    if (rules.length > 0 && !matchesAll(rules.at(-1) as Rule)) {
      return refuse(400, 1056, 'Bad Configuration: The last ingress rule must match all URLs');
    }
    if (rules.slice(0, -1).some(matchesAll)) {
      return refuse(400, 1056, 'Bad Configuration: Rule is matching all URLs, and is not the last one');
    }
    this.config = config;
    this.version += 1;
    return this.#succeed('TunnelConfigurationUpdated', this.#tunnel());
  }

  #postRecord(zone: string, body: unknown) {
    if (!this.#check('NewRecord', body)) return refuse(400, 9005, 'The request is not valid');
    const { type, name, content, proxied = false, comment = null } = body as StoredRecord;
    if (name !== zone && !name.endsWith(`.${zone}`)) return refuse(400, 9007, 'The name is not in the zone');
    if ((comment?.length ?? 0) > LONGEST_COMMENT) return refuse(400, 9300, 'The comment is too long');
    const same = this.records.filter((one) => one.zone === zone && one.name === name);
    if (same.some((one) => one.type === type && one.content === content)) {
      return refuse(400, 81058, 'An identical record already exists.');
    }
    if (same.some((one) => ['A', 'AAAA', 'CNAME'].includes(one.type))) {
      return refuse(400, 81053, 'An A, AAAA, or CNAME record with that host already exists.');
    }
    return this.#succeed('Record', toAnswer(this.add({ type, name, content, proxied, comment, zone })));
  }

  #succeed(shape: Name, result: object) {
    this.#check(shape, result);
    return { status: 200, body: { success: true, errors: [], messages: [], result } };
  }

  #succeedPage(shape: Name, all: object[], query: URLSearchParams) {
    for (const one of all) this.#check(shape, one);
    const perPage = Number(query.get('per_page') ?? 20);
    const page = Number(query.get('page') ?? 1);
    const result = all.slice((page - 1) * perPage, page * perPage);
    const info = { page, per_page: perPage, count: result.length, total_count: all.length };
    return { status: 200, body: { success: true, errors: [], messages: [], result, result_info: info } };
  }

  /**
   * The published shape demands a hostname of every rule, and the documentation shows the last rule, which matches all,
   * without one. So the last one is checked as if it had an empty one. The shape of a record that is read is that of a
   * CNAME; of other records only what all have in common is checked.
   */
  #check(shape: Name, value: unknown): boolean {
    const check = checks[shape];
    const checked = structuredClone(value) as { config?: TunnelConfiguration; type?: string };
    const last = checked?.config?.ingress?.at(-1);
    if (last && last.hostname === undefined) last.hostname = '';
    if (shape === 'Record') checked.type = 'CNAME';
    const isValid = check?.(checked) === true;
    if (!isValid) this.violations.push(`${shape}: ${ajv.errorsText(check?.errors)}: ${JSON.stringify(value)}`);
    return isValid;
  }
}

const AT = '2026-01-31T12:00:00Z';

function toAnswer({ zone, comment, ...record }: StoredRecord) {
  const stored = { proxiable: true, ttl: 1, meta: {}, settings: {}, tags: [], created_on: AT, modified_on: AT };
  return { ...record, ...stored, ...(comment != null && { comment }) };
}

const toZone = (name: string) => ({
  id: `zone-${name}`,
  name,
  account: { id: ACCOUNT_ID, name: 'Example' },
  activated_on: AT,
  created_on: AT,
  modified_on: AT,
  development_mode: 0,
  meta: {},
  name_servers: ['a.ns.example'],
  original_dnshost: null,
  original_name_servers: null,
  original_registrar: null,
  owner: {},
  plan: {},
  status: 'active',
});

const refuse = (status: number, code: number, message: string) => ({
  status,
  body: { success: false, errors: [{ code, message }], messages: [], result: null },
});

/** Starts the stand-in on a free port. It is stopped when the test ends, and fails the test for a shape that is wrong. */
export async function startCloudflare(t: Test): Promise<CloudflareStandIn> {
  const standIn = new CloudflareStandIn();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const { status, body, headers } = await standIn.answer(request, text === '' ? undefined : JSON.parse(text));
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  standIn.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
    const { violations } = standIn;
    if (violations.length > 0) throw new Error(`Not of the published shape:\n${violations.join('\n')}`);
  });
  return standIn;
}
