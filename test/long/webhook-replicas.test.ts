// Two replicas, of which the one that sends is killed in the middle.
import { sql } from 'kysely';
import t from 'tap';
import { createDatabase, openPostgres } from '../helpers/database.js';
import { startReceiver } from '../helpers/receiver.js';
import { startService } from '../helpers/service.js';

const EVENTS = 1000;

t.setTimeout(180_000);

t.test('kill -9 of the replica that sends loses nothing, and keeps the order of each project', async (t) => {
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  const { db } = await openPostgres(t, url);
  const replicas = [startService(t, { DATABASE_URL: url }), startService(t, { DATABASE_URL: url })] as const;
  await Promise.all(replicas.map((replica) => replica.ready()));
  const receiver = await startReceiver(t, (_request, response) => {
    setTimeout(() => response.writeHead(204).end(), 5);
  });
  const { body } = await replicas[1].call('POST', '/v1/webhooks', { url: receiver.url, types: ['service.up'] });
  receiver.secret = body.secret;
  await sql`
    insert into new_events (type, project, subject, actor, data)
    select 'service.up', 'project-' || i % 3, 'allocations/' || i, current_actor(), '{}'
    from generate_series(1, ${EVENTS}::integer) i`.execute(db);
  await receiver.has(EVENTS / 10, 60_000);

  // Which replica has the lease is not told, so both are killed, one after the other: the second starts again.
  const killed = performance.now();
  await replicas[0].kill('SIGKILL');
  const isOther = await waitForMore(receiver, 300);
  if (isOther) {
    await replicas[1].kill('SIGKILL');
    await startService(t, { DATABASE_URL: url }).ready();
  }
  const distinct = () => new Set(receiver.received.map(({ id }) => id)).size;
  while (distinct() < EVENTS) await new Promise((resolve) => setTimeout(resolve, 50));
  t.comment(`all were there ${((performance.now() - killed) / 1000).toFixed(1)} s after the kill`);
  t.comment(`${receiver.received.length - EVENTS} of ${EVENTS} were received twice`);

  // The first time that each is received is in order; repetitions begin behind what was written as delivered.
  const seen = new Map<string, number>();
  let skipped = 0;
  for (const { event } of receiver.received) {
    const last = seen.get(event.project) ?? 0;
    if (last > 0 && Number(event.id) > last + 3) skipped += 1;
    seen.set(event.project, Math.max(last, Number(event.id)));
  }
  t.equal(skipped, 0, 'none was received before the one before it');
});

/** Whether something is still received after a moment. */
async function waitForMore({ received }: { received: unknown[] }, ms: number): Promise<boolean> {
  const before = received.length;
  await new Promise((resolve) => setTimeout(resolve, ms));
  return received.length > before;
}
