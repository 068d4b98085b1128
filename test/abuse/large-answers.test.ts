// One project's key asks for the largest answers there are, many at a time.
import pg from 'pg';
import t, { type Test } from 'tap';
import { CallersBeside, makeProjectKey, startSmallService } from '../helpers/beside.js';
import { createDatabase } from '../helpers/database.js';
import { bearer } from '../helpers/keys.js';
import type { Service } from '../helpers/service.js';

t.setTimeout(120_000);

const MIB = 1024 * 1024;
const AT_A_TIME = 20;
/** Fewer, because each is 16 MiB. */
const ENVIRONMENTS_AT_A_TIME = 6;
const CHANGES_AT_A_TIME = 10;
/** Rows with the largest metadata, all of one service. */
const LARGE_ROWS = 1000;
/** Rows with long hostnames. */
const ROUTES = 10_000;

/** The project `heavy` has rows with large metadata, and `many` has many rows. They are written past the service. */
async function fill(url: string): Promise<void> {
  const psql = new pg.Client({ connectionString: url });
  await psql.connect();
  // Random digits, because PostgreSQL would compress others and read them faster.
  await psql.query(`
    insert into port_ranges (start_port, end_port, project, kind) values (10000, 10999, 'heavy', 'shared');
    insert into port_allocations (port, project, service, environment, metadata)
    select port, 'heavy', 'web', 'large',
           jsonb_build_object('x', (select string_agg(md5(random()::text || i), '') from generate_series(1, 500 + 0 * port) i))
    from generate_series(10000, ${10000 + LARGE_ROWS - 1}) port;
    insert into port_ranges (start_port, end_port, project, kind) values (11000, 11999, 'stack', 'shared');
    insert into port_allocations (port, project, service, metadata)
    select port + 1000, 'stack', 'service-' || port, metadata from port_allocations where project = 'heavy';
    insert into port_ranges (start_port, end_port, project, kind)
    select port, port + 999, 'many', 'shared' from generate_series(20000, ${20000 + ROUTES - 1000}, 1000) port;
    insert into port_allocations (port, project, service, description, cloudflare_hostname)
    select port, 'many', 'service-' || port, repeat('"', 1000),
           port || '.example.com'
    from generate_series(20000, ${20000 + ROUTES - 1}) port;
    analyze`);
  await psql.end();
}

interface Answer {
  status: number;
  bytes: number;
  /** Empty unless it was to be kept. */
  text: string;
}

class Abuser {
  constructor(
    readonly url: string,
    readonly key: string,
  ) {}

  /** Reads the answer and counts its bytes. To parse all of them here would keep the callers beside waiting. */
  async ask(method: string, path: string, body?: unknown, keep = false): Promise<Answer> {
    const accept = path === '/mcp' ? { accept: 'application/json, text/event-stream' } : {};
    const headers = {
      ...bearer(this.key),
      ...accept,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    const text = body === undefined ? null : JSON.stringify(body);
    const response = await fetch(this.url + path, { method, headers, body: text });
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      bytes += chunk.length;
      if (keep) chunks.push(chunk);
    }
    return { status: response.status, bytes, text: Buffer.concat(chunks).toString() };
  }

  /** Sends one request many times at once. Keeps the text of the first answer. */
  flood(method: string, path: string, body?: unknown, times = AT_A_TIME): Promise<Answer[]> {
    return Promise.all(Array.from({ length: times }, (_, i) => this.ask(method, path, body, i === 0)));
  }
}

const callOf = (name: string, input: object) => {
  return { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } };
};

/** Runs the abuse beside other callers, and asserts that these notice nothing and that the process lives. */
async function beside(t: Test, service: Service, abuse: () => Promise<void>): Promise<void> {
  const callers = await CallersBeside.start(service);
  const began = performance.now();
  const failed = await abuse().catch((error: Error) => error);
  const took = Math.round(performance.now() - began);
  t.comment(`${JSON.stringify(await callers.stop(t))}; the abuse took ${took} ms`);
  if (failed) throw failed;
  t.equal(service.child.exitCode, null, 'the process lives');
}

function assertAnswers(t: Test, answers: Answer[], status: number): void {
  t.same([...new Set(answers.map((answer) => answer.status))], [status], 'all have been answered');
}

t.test('the largest answers, many at a time', async (t) => {
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  await fill(url);
  const service = await startSmallService(t, { DATABASE_URL: url });
  const abuser = new Abuser(await service.url, await makeProjectKey(service, 'heavy', 'stack', 'many'));

  await t.test('pages of a thousand', (t) =>
    beside(t, service, async () => {
      for (const project of ['heavy', 'many']) {
        const answers = await abuser.flood('GET', `/v1/allocations?project=${project}&limit=1000`);
        assertAnswers(t, answers, 200);
        for (const { bytes } of answers) t.ok(bytes < 2 * MIB, `${bytes} bytes of ${project}`);
        t.ok(JSON.parse(answers[0]?.text ?? '').nextCursor);
      }
    }),
  );
  await t.test('exports', (t) =>
    beside(t, service, async () => {
      const answers = await abuser.flood('GET', '/v1/exports/prometheus?project=many');
      assertAnswers(t, answers, 200);
      t.equal(new Set(answers.map(({ bytes }) => bytes)).size, 1);
      t.equal(JSON.parse(answers[0]?.text ?? '').length, ROUTES, 'each is whole');
    }),
  );
  await t.test('calls of tools', (t) =>
    beside(t, service, async () => {
      const call = callOf('list-ports', { project: 'heavy', limit: 1000 });
      const answers = await abuser.flood('POST', '/mcp', call);
      assertAnswers(t, answers, 200);
      for (const { bytes } of answers) t.ok(bytes < MIB, `${bytes} bytes`);
      const batches = await abuser.flood(
        'POST',
        '/mcp',
        Array.from({ length: 100 }, () => call),
      );
      assertAnswers(t, batches, 400);
      const { id, error } = JSON.parse(batches[0]?.text ?? '');
      t.match({ id, error }, { id: null, error: { code: -32600, message: /one message per request/ } });
    }),
  );
  await t.test('a large environment', (t) =>
    beside(t, service, async () => {
      const path = '/v1/projects/heavy/environments/large';
      const answers = await abuser.flood('GET', path, undefined, ENVIRONMENTS_AT_A_TIME);
      assertAnswers(t, answers, 200);
      t.equal(JSON.parse(answers[0]?.text ?? '').items.length, LARGE_ROWS);
      assertAnswers(t, await abuser.flood('PUT', path, { services: [{ service: 'web' }] }), 200);
      const services = Array.from({ length: LARGE_ROWS }, (_, i) => ({ service: `service-${10000 + i}` }));
      assertAnswers(
        t,
        await abuser.flood('PUT', '/v1/projects/stack/environments/default', { services }, ENVIRONMENTS_AT_A_TIME),
        200,
      );
    }),
  );
  await t.test('changes of many ports', (t) =>
    beside(t, service, async () => {
      const name = { project: 'heavy', service: 'web', environment: 'large' };
      const updates = await abuser.flood(
        'POST',
        '/mcp',
        callOf('update-port', { ...name, description: 'x' }),
        CHANGES_AT_A_TIME,
      );
      assertAnswers(t, updates, 200);
      const items = Array.from({ length: LARGE_ROWS }, (_, i) => ({ port: 10000 + i }));
      assertAnswers(t, await abuser.flood('POST', '/v1/imports', { items }, CHANGES_AT_A_TIME), 200);
      assertAnswers(t, await abuser.flood('DELETE', '/v1/projects/heavy/environments/large'), 200);
    }),
  );
});
