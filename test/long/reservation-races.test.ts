import { sql } from 'kysely';
import t from 'tap';
import { sweepReservations } from '../../src/services/retention.js';
import { makeApp, requester } from '../helpers/app.js';
import { createDatabase, databases, openPostgres } from '../helpers/database.js';

t.test('replicas over one PostgreSQL', async (t) => {
  const url = await createDatabase(t);
  const [one, other] = [await openPostgres(t, url), await openPostgres(t, url)];
  const replicas = [requester(await makeApp(t, one)), requester(await makeApp(t, other))] as const;
  const [request] = replicas;
  const everywhere = <T>(times: number, call: (request: (typeof replicas)[0], place: number) => Promise<T>) =>
    Promise.all(Array.from({ length: times }, (_, place) => call(replicas[place % 2] ?? request, place)));

  t.test('concurrent claims of one reservation make one allocation', async (t) => {
    const { body } = await request('POST', '/v1/projects/odin/reservations', { ttlSeconds: 60, service: 'api' });
    const claims = await everywhere(20, (request) => request('POST', `/v1/reservations/${body.id}/claim`));
    t.same(claims.filter(({ status }) => status === 201).length, 1);
    t.same(claims.filter(({ status }) => status === 200).length, 19);
    t.equal(new Set(claims.map((claim) => claim.body.id)).size, 1);
    t.equal((await request('GET', '/v1/allocations?project=odin')).body.items.length, 1);
  });

  t.test('of a claim and a cancellation of one reservation at the same time exactly one succeeds', async (t) => {
    for (let round = 0; round < 10; round++) {
      const { body } = await request('POST', '/v1/projects/odin/reservations', {
        ttlSeconds: 60,
        service: `r${round}`,
      });
      const [claim, cancellation] = await everywhere(2, (request, place) =>
        place === 0
          ? request('POST', `/v1/reservations/${body.id}/claim`)
          : request('DELETE', `/v1/reservations/${body.id}`),
      );
      const claimed = claim?.status === 201;
      t.equal(claim?.body.code ?? 'claimed', claimed ? 'claimed' : 'reservation-ended');
      t.equal(cancellation?.body.status, claimed ? 'claimed' : 'cancelled');
      const { items } = (await request('GET', `/v1/allocations?service=r${round}`)).body;
      t.equal(items.length, claimed ? 1 : 0);
    }
  });

  t.test('reservations and allocations that race get ports of their own', async (t) => {
    const answers = await everywhere(60, (request, place) =>
      place % 3 === 0
        ? request('POST', '/v1/projects/consilio/reservations', { ttlSeconds: 60 })
        : request('POST', '/v1/projects/consilio/allocations', { service: `s${place}` }),
    );
    t.same(new Set(answers.map(({ status }) => status)), new Set([201]));
    const ports = answers.map(({ body }) => body.port).sort((a, b) => a - b);
    t.same(
      ports,
      Array.from({ length: 60 }, (_, i) => 3100 + i),
      'the lowest sixty, each once',
    );
  });

  t.test('a port whose reservation has expired but was not swept is reserved by one of many callers', async (t) => {
    const { body } = await request('POST', '/v1/projects/health-agent/reservations', { ttlSeconds: 60, port: 3450 });
    await sql`update port_reservations set expires_at = clock_timestamp() - interval '1 second'
              where id = ${body.id}`.execute(one.db);
    const [answers] = await Promise.all([
      everywhere(10, (request) =>
        request('POST', '/v1/projects/health-agent/reservations', { ttlSeconds: 60, port: 3450 }),
      ),
      sweepReservations(one.db),
      sweepReservations(other.db),
    ]);
    t.same(answers.map(({ status }) => status).sort(), [201, ...Array(9).fill(409)]);
  });

  t.test('imports with the same projects in opposite orders wait for each other and never deadlock', async (t) => {
    const ports = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 3000 + i : 9000 + i));
    const answers = await everywhere(12, (request, place) =>
      request('POST', '/v1/imports', {
        items: (place % 3 === 0 ? ports : [...ports].reverse()).map((port) => ({ port, service: `p${port}` })),
      }),
    );
    t.same(new Set(answers.map(({ status }) => status)), new Set([200]));
    const outcomes = answers.flatMap(({ body }) => body.items.map(({ outcome }: { outcome: string }) => outcome));
    t.equal(outcomes.filter((outcome) => outcome === 'adopted').length, 20);
    t.equal(outcomes.filter((outcome) => outcome === 'held').length, 220);
  });
});

for (const [name, open] of databases) {
  t.test(`on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database));
    const reserve = async (body: object) =>
      (await request('POST', '/v1/projects/consilio/reservations', { ttlSeconds: 60, ...body })).body;
    const list = async (query: string) =>
      (await request('GET', `/v1/reservations?${query}`)).body.items.map(({ port }: { port: number }) => port);

    t.test('the list shows active ones, or those of one status, swept or not', async (t) => {
      const [, claimed, cancelled, expired] = [
        await reserve({}),
        await reserve({ service: 'a' }),
        await reserve({ port: 3150 }),
        await reserve({ port: 3160, host: 'db1', protocol: 'udp' }),
      ];
      await request('POST', `/v1/reservations/${claimed.id}/claim`);
      await request('DELETE', `/v1/reservations/${cancelled.id}`);
      await sql`update port_reservations set expires_at = clock_timestamp() - interval '1 second' where id = ${expired.id}`.execute(
        database.db,
      );
      for (const sweep of [false, true]) {
        if (sweep) t.same(await sweepReservations(database.db), { expired: 1, deleted: 0 });
        t.same(await list(''), [3100]);
        t.same(await list('status=claimed'), [3101]);
        t.same(await list('status=cancelled'), [3150]);
        t.same(await list('status=expired'), [3160]);
        t.same(await list('status=any'), [3100, 3101, 3150, 3160]);
        t.same(await list('status=any&host=db1&protocol=udp'), [3160]);
        t.same(await list('status=any&port=3150&project=consilio'), [3150]);
        t.same(await list('status=any&project=odin'), []);
      }
      const page = (await request('GET', '/v1/reservations?status=any&limit=3')).body;
      t.equal(page.items.length, 3);
      const rest = (await request('GET', `/v1/reservations?status=any&limit=3&cursor=${page.nextCursor}`)).body;
      t.match(rest, { items: [{ port: 3160, status: 'expired' }], nextCursor: null });
    });

    t.test('ended ones stay for 7 days, and are then swept', async (t) => {
      const age = (interval: string) =>
        sql`update port_reservations set ended_at = clock_timestamp() - ${interval}::interval
            where ended_at is not null`.execute(database.db);
      await age('6 days 23 hours');
      t.same(await sweepReservations(database.db), { expired: 0, deleted: 0 });
      await age('7 days 1 second');
      t.same(await sweepReservations(database.db), { expired: 0, deleted: 3 });
      t.same(await list('status=any'), [3100], 'the active one stays');
    });

    t.test('more than one batch is swept in one pass', async (t) => {
      await sql`insert into port_reservations (port, project, protocol, expires_at, host)
                select 3100 + n % 100, 'consilio', 'tcp', clock_timestamp(), 'h' || n
                from generate_series(1, 1200) n`.execute(database.db);
      t.same(await sweepReservations(database.db), { expired: 1200, deleted: 0 });
    });
  });
}
