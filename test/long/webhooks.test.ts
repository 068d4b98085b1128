// Many events for 20 webhooks, on both databases. Prints what it took. WEBHOOK_EVENTS sets how many there are.
import { sql } from 'kysely';
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { databases } from '../helpers/database.js';
import { startReceiver } from '../helpers/receiver.js';
import { sendWebhooks } from '../helpers/webhooks.js';

const EVENTS = Number(process.env.WEBHOOK_EVENTS ?? 1000);
const WEBHOOKS = 20;
const PROJECTS = 10;

t.setTimeout(600_000);

for (const [name, open] of databases) {
  t.test(`${EVENTS} events reach ${WEBHOOKS} webhooks, each project's in order, on ${name}`, async (t) => {
    const database = await open(t);
    const request = requester(await makeApp(t, database));
    const positions = new Map<string, number>();
    let received = 0;
    let disorder = 0;
    for (let index = 0; index < WEBHOOKS; index += 1) {
      const receiver = await startReceiver(t, ({ event }, response) => {
        received += 1;
        const queue = `${index} ${event.project}`;
        if (Number(event.id) <= (positions.get(queue) ?? 0)) disorder += 1;
        positions.set(queue, Number(event.id));
        receiver.received.length = 0; // only what the service holds is measured
        response.writeHead(204).end();
      });
      const { body } = await request('POST', '/v1/webhooks', { url: receiver.url, types: ['service.up'] });
      receiver.secret = body.secret;
    }
    await sql`
      insert into new_events (type, project, subject, actor, data)
      select 'service.up', 'project-' || i % ${PROJECTS}, 'allocations/' || i, current_actor(), '{"allocation": {"port": 3100}}'
      from generate_series(1, ${EVENTS}::integer) i`.execute(database.db);
    global.gc?.();
    const before = process.memoryUsage().rss;
    let most = before;
    const timer = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss);
    }, 100);
    const begin = performance.now();
    sendWebhooks(t, database, { leaseTtlMs: 15_000 });
    const count = async () => {
      const { rows } = await sql<{ n: number }>`
        select count(*)::integer as n from webhook_deliveries where status = 'delivered'`.execute(database.db);
      return rows[0]?.n;
    };
    while ((await count()) !== EVENTS * WEBHOOKS) await new Promise((resolve) => setTimeout(resolve, 500));
    clearInterval(timer);
    const seconds = (performance.now() - begin) / 1000;
    t.comment(`${seconds.toFixed(1)} s, ${((EVENTS * WEBHOOKS) / seconds).toFixed(0)} a second`);
    t.comment(`memory of sender and receivers grew by ${((most - before) / 2 ** 20).toFixed(0)} MiB`);
    t.equal(received, EVENTS * WEBHOOKS, 'each once, as nothing failed');
    t.equal(disorder, 0);
    t.ok(most - before < 400 * 2 ** 20);
  });
}
