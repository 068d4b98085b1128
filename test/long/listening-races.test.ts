// Servers that come and go on this machine while many callers of two services allocate and release there.
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, openPostgres } from '../helpers/database.js';
import { findFreeBlock } from '../helpers/machine.js';
import { findViolations } from '../helpers/registry.js';

const CALLERS = 32;
const ROUNDS = 12;
/** The ports on which servers come and go: the lowest ones, which every caller would get. */
const CONTESTED = 24;

/** A server that listened from `from` on, and until `to`: times of `performance.now()`. */
interface Listened {
  port: number;
  from: number;
  to: number;
}

t.test('no call is given a port on which somebody listened for as long as the call took', async (t) => {
  const url = await createDatabase(t);
  const avoiding = { AVOID_LISTENING: 'true' };
  const databases = [await openPostgres(t, url), await openPostgres(t, url)] as const;
  const [one, other] = await Promise.all(
    databases.map(async (database) => requester(await makeApp(t, database, avoiding))),
  );
  const start = await findFreeBlock();
  const { status } = await (one as typeof other & object)('POST', '/v1/ranges', { project: 'busy', startPort: start });
  t.equal(status, 201);

  const listened: Listened[] = [];
  let isOver = false;
  /** Listens now and then on every `step`-th of the contested ports. */
  const stranger = async (first: number, step: number) => {
    for (let port = first; !isOver; port = port + step < CONTESTED ? port + step : first) {
      const server = await tryToListen(start + port);
      if (server === null) continue; // a trial of a service was there
      const entry = { port: start + port, from: performance.now(), to: Number.POSITIVE_INFINITY };
      listened.push(entry);
      await sleep(20 + Math.random() * 60);
      entry.to = performance.now();
      server.close();
      await once(server, 'close');
    }
  };
  const given: { port: number; from: number; to: number }[] = [];
  const refused: unknown[] = [];
  const caller = async (name: number) => {
    const request = (name % 2 ? one : other) as NonNullable<typeof one>;
    for (let round = 0; round < ROUNDS; round++) {
      const from = performance.now();
      const service = `s${name}`;
      const answer =
        round % 3 === 0
          ? await request('PUT', `/v1/projects/busy/services/${service}`)
          : await request('POST', '/v1/projects/busy/allocations', {
              service,
              ...(round % 3 === 1 && { prefer: start + (name % CONTESTED) }),
            });
      const to = performance.now();
      if (answer.status === 201) given.push({ port: answer.body.port, from, to });
      else if (answer.status !== 200) refused.push(answer.body);
      if (answer.status === 201) await request('DELETE', `/v1/allocations/${answer.body.id}`);
      await sleep(Math.random() * 10);
    }
  };
  const strangers = [0, 1, 2, 3].map((first) => stranger(first, 4));
  await Promise.all(Array.from({ length: CALLERS }, (_, name) => caller(name)));
  isOver = true;
  await Promise.all(strangers);

  t.same(refused, [], 'there are enough ports for everybody');
  const wrong = given.filter(({ port, from, to }) =>
    listened.some((server) => server.port === port && server.from <= from && to <= server.to),
  );
  t.same(wrong, [], `${given.length} ports were given out while servers came and went ${listened.length} times`);
  const contested = given.filter(({ port }) => port < start + CONTESTED);
  t.ok(contested.length > 0, `${contested.length} of them were ports on which servers came and went`);
  t.same(await findViolations(databases[0].db), []);
});

/** @returns null if the port was taken at this moment */
async function tryToListen(port: number): Promise<Server | null> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return server;
  } catch {
    await sleep(1);
    return null;
  }
}
