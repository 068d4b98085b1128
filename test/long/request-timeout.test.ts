import { connect } from 'node:net';
import pg from 'pg';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, openPostgres } from '../helpers/database.js';

const REQUEST_TIMEOUT_MS = 300;

t.test('a request that takes too long is answered, and its command is not started afterwards', async (t) => {
  const url = await createDatabase(t);
  const database = await openPostgres(t, url);
  const request = requester(await makeApp(t, database, { REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS) }));
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  t.teardown(() => client.end());
  await client.query('begin');
  await client.query("select from port_ranges where project = 'consilio' for update");

  const allocate = (service: string) => request('POST', '/v1/projects/consilio/allocations', { service });
  const first = allocate('begun'); // its transaction waits for the lock
  await new Promise((resolve) => setTimeout(resolve, 100));
  const began = Date.now();
  const second = await allocate('queued'); // waits for the first one's transaction
  t.equal(second.status, 503);
  t.equal(second.body.code, 'overloaded');
  t.match(second.body.detail, /If this was a change, it may still be made/);
  t.match(second.headers['retry-after'], /^\d+$/);
  t.ok(Date.now() - began < 10 * REQUEST_TIMEOUT_MS);
  t.equal((await first).status, 503);

  await client.query('rollback');
  const next = await allocate('next');
  t.equal(next.status, 201);
  const { items } = (await request('GET', '/v1/allocations?project=consilio')).body;
  const services = items.map((item: { service: string }) => item.service);
  t.notOk(services.includes('queued'), 'nobody waits for it any more');
  t.ok(services.includes('next'));
});

t.test('a request that does not arrive completely is answered, and its connection closed', async (t) => {
  const database = await openPostgres(t);
  const app = await makeApp(t, database, { REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS) });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as { port: number };

  /** Sends the beginning, then a byte every now and then; returns what came back until the connection ended. */
  const trickle = (beginning: string) =>
    new Promise<string>((resolve) => {
      let drip: NodeJS.Timeout | undefined;
      const socket = connect(port, '127.0.0.1', () => {
        if (beginning === '') return;
        socket.write(beginning);
        drip = setInterval(() => socket.write(' '), 50); // not before: on a busy machine it would overtake the beginning
      });
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      socket.on('error', () => {}); // it was closed while a byte was on its way
      socket.on('close', () => {
        clearInterval(drip);
        resolve(text);
      });
    });
  const head = (path: string) =>
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n`;

  for (const [name, beginning] of [
    ['a body', `${head('/v1/ranges')}\r\n{`],
    ['a body of a route without a limit', `${head('/v1/audits')}\r\n{`],
    ['headers', `${head('/v1/ranges')}X-Slow: `],
  ] as const) {
    const began = Date.now();
    const answer = await trickle(beginning);
    t.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/, name);
    t.match(answer, /^connection: close\r$/im, name);
    t.match(answer, /"code":"validation-failed"/, name);
    t.match(answer, /did not arrive whole in time/, name);
    t.equal(answer.match(/HTTP\/1\.1/g)?.length, 1, 'one answer');
    t.ok(Date.now() - began < 5000, `${name}: ${Date.now() - began} ms`);
  }
  t.equal(await trickle(''), '', 'a connection on which nothing was asked is closed in silence');
});
