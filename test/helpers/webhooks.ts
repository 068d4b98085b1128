import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Test } from 'tap';
import { loadConfig } from '../../src/config.js';
import type { Database } from '../../src/database/connect.js';
import type { Tables } from '../../src/database/tables.js';
import { type Observer, unobserved } from '../../src/observer.js';
import { EventFeed } from '../../src/services/events/feed.js';
import type { NameSources } from '../../src/services/probes/names.js';
import { Destinations } from '../../src/services/webhooks/destination.js';
import { runWebhooks, type WebhookOptions } from '../../src/services/webhooks/webhooks.js';
import { silentLog } from './database.js';

/** Waits of milliseconds in place of hours. */
export const QUICK: WebhookOptions = {
  backoff: { waitsMs: [20, 40], giveUpMs: 60_000 },
  standbyMs: 50,
  leaseTtlMs: 2000,
};

/** Sends to webhooks as the service does, until the test ends. */
export function sendWebhooks(
  t: Test,
  { db }: Pick<Database, 'db'>,
  options: WebhookOptions & { variables?: Record<string, string>; sources?: NameSources; observer?: Observer } = {},
) {
  const stopping = new AbortController();
  const { variables = {}, sources, observer = unobserved, ...times } = options;
  const source = 'urn:port-allocator';
  const feed = new EventFeed(db, { source, log: silentLog });
  const destinations = new Destinations(loadConfig(variables), sources);
  const parts = { db, feed, destinations, observer, log: silentLog, source };
  const running = Promise.all([feed.run(stopping.signal), runWebhooks(parts, stopping.signal, { ...QUICK, ...times })]);
  const stop = async () => {
    stopping.abort();
    await running;
  };
  t.teardown(stop);
  return { feed, stop };
}

/** Waits until a number of deliveries have a status. */
export async function untilDeliveries(db: Kysely<Tables>, status: string, count: number, timeoutMs = 20_000) {
  for (const deadline = Date.now() + timeoutMs; ; await sleep(20)) {
    const rows = await db
      .selectFrom('webhook_deliveries')
      .selectAll()
      .where('status', '=', status as 'pending')
      .orderBy('position')
      .execute();
    if (rows.length === count) return rows;
    if (Date.now() > deadline) throw new Error(`${rows.length} deliveries are ${status}, and not ${count}`);
  }
}
