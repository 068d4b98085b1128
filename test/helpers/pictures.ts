// What the pictures of the docs show: a small team's registry, always at the same moment.
import { type Kysely, sql } from 'kysely';
import type { BrowserContextOptions, Page } from 'playwright-core';
import type { Test } from 'tap';
import type { Tables } from '../../src/database/tables.js';
import type { requester } from './app.js';
import { PROBED } from './dashboard.js';
import { listen } from './listeners.js';

/** When the pictures are taken, as the page sees it. It is in the past, so that nothing real has happened after it. */
export const MOMENT = '2026-03-12T10:24:00Z';
/** As the page sees it, wherever it really is. */
export const ADDRESS = 'http://localhost:8080/';
export const SIGHT: BrowserContextOptions = { timezoneId: 'UTC', reducedMotion: 'reduce', deviceScaleFactor: 1 };

const HOUR = 60;
const DAY = 24 * HOUR;
const KIM = { 'user-agent': 'pa/0.1.0' };
const DETAILS: Record<string, object> = {
  web: { serviceType: 'http', description: 'The public site', cloudflareHostname: 'www.example.com' },
  grafana: { serviceType: 'http', cloudflareHostname: 'grafana.example.com' },
};
/** On these nothing listens. */
const STOPPED = new Set([3104, 3301, 9003]);
const PROGRAMS: Record<string, string> = { postgres: 'postgres', redis: 'redis-server', grafana: 'grafana' };

type Request = ReturnType<typeof requester>;

/** Fills the registry with some weeks of work, which ends with an audit four minutes before `MOMENT`. */
export async function fillForPictures(t: Test, db: Kysely<Tables>, request: Request): Promise<void> {
  const put = (project: string, environment: string, services: string[], path?: string) =>
    request(
      'PUT',
      `/v1/projects/${project}/environments/${environment}`,
      {
        services: services.map((service) => ({ service, ...(environment === 'default' && DETAILS[service]) })),
        ...(path !== undefined && { path }),
      },
      KIM,
    );
  const then = async (minutes: number) => {
    await request('GET', '/v1/events?limit=1'); // every event is in the feed then
    await setBack(db, minutes);
  };
  await put('meta-supervisor', 'default', ['supervisor', 'scheduler']);
  await put('shared-services', 'default', ['postgres', 'redis', 'nats', 'minio', 'grafana', 'prometheus']);
  await then(41 * DAY);
  await put('consilio', 'default', ['api', 'web', 'worker', 'postgres', 'redis']);
  await then(26 * DAY);
  await put('odin', 'default', ['ingest', 'query', 'index-1', 'index-2']);
  await put(
    'health-agent',
    'default',
    Array.from({ length: 84 }, (_, i) => `check-${i + 1}`),
  );
  await then(19 * DAY);
  await put('consilio', 'feature-search', ['api', 'web', 'worker', 'postgres']);
  await then(15 * DAY);
  await put('consilio', 'staging', ['api', 'web', 'worker']);
  await then(12 * DAY);
  await request('DELETE', '/v1/projects/consilio/environments/feature-search', undefined, KIM);
  await then(8 * DAY);
  await put('consilio', 'feature-login', ['api', 'web', 'worker', 'redis']);
  await then(6 * DAY);
  await request('PUT', '/v1/projects/odin/services/ingest?host=build-1', {}, KIM);
  const reservation = { ttlSeconds: 30 * 86_400, reservedBy: 'release pipeline', reason: 'Announced to the firewall' };
  await request('POST', '/v1/projects/consilio/reservations', { ...reservation, port: 3140 }, KIM);
  await then(2 * DAY);
  await request('PUT', '/v1/projects/quiculum-monitor/services/collector', {}, KIM);
  await then(3 * HOUR);
  await runPrograms(t, db, request, then);
  await namePrograms(db);
  // Only now, because what listens here lives in another folder.
  await put('consilio', 'default', ['api'], '/home/kim/consilio');
  await put('consilio', 'feature-login', ['api'], '/home/kim/consilio-login');
  await then(4);
}

/**
 * What was found listening is this process, or on a machine where more listens, another one. In the pictures it is a
 * program of somebody's.
 */
async function namePrograms(db: Kysely<Tables>): Promise<void> {
  await sql`
    update port_audits set conflicts = regexp_replace(conflicts::text,
      '[[:alnum:]_-]+, pid [0-9]+, in [^" ]*[^". ]', 'python3, pid 4190, in /home/sam/notebook', 'g')::jsonb`.execute(
    db,
  );
  await sql`update port_health_checks set response_time_ms = 0.4 where response_time_ms is not null`.execute(db);
}

/** Has something listen on most ports, and on one that nobody holds, and audits them. One has stopped before that. */
async function runPrograms(
  t: Test,
  db: Kysely<Tables>,
  request: Request,
  then: (minutes: number) => Promise<void>,
): Promise<void> {
  const { items } = (await request('GET', '/v1/allocations?host=localhost&limit=1000')).body;
  const stopping = await listen(t, PROBED, 3104);
  for (const { port } of items as { port: number }[]) {
    if (!STOPPED.has(port)) await listen(t, PROBED, port);
  }
  await request('POST', '/v1/audits', { host: 'localhost' }, KIM);
  await request('GET', '/v1/events?limit=1'); // every event is in the feed then
  await sortFound(db);
  await then(34);
  await new Promise((resolve) => stopping.close(resolve));
  for (const port of [3190, 3140]) await listen(t, PROBED, port);
  await request('POST', '/v1/audits', { host: 'localhost', unallocated: true }, KIM);
}

/** An audit tells of services in the order in which their probes ended: here by port, so that it is always the same. */
async function sortFound(db: Kysely<Tables>): Promise<void> {
  await sql`
    with places as (select position, row_number() over (order by position) as n from events where type = 'service.up'),
    found as (
      select project, subject, data, row_number() over (order by data -> 'allocation' -> 'port') as n
      from events where type = 'service.up'
    )
    update events set project = found.project, subject = found.subject, data = found.data
    from places join found using (n) where events.position = places.position`.execute(db);
}

/** Makes everything that has happened since the last time have happened so many minutes before `MOMENT`. */
async function setBack(db: Kysely<Tables>, minutes: number): Promise<void> {
  const at = sql`${MOMENT}::timestamptz - make_interval(mins => ${minutes}::integer)`;
  const set = (table: string, columns: string[]) =>
    columns.map((column) =>
      sql`update ${sql.table(table)} set ${sql.ref(column)} = ${at} where ${sql.ref(column)} > ${MOMENT}::timestamptz`.execute(
        db,
      ),
    );
  const tables = { port_allocations: ['allocated_at', 'last_used_at', 'released_at', 'updated_at'] };
  const others = {
    port_reservations: ['created_at'],
    port_audits: ['checked_at'],
    port_health_checks: ['checked_at'],
    events: ['time', 'latest_time'],
  };
  for (const [table, columns] of Object.entries({ ...tables, ...others })) {
    await sql`alter table ${sql.table(table)} disable trigger user`.execute(db); // this is no change to tell of
    for (const done of set(table, columns)) await done;
    await sql`alter table ${sql.table(table)} enable trigger user`.execute(db);
  }
}

/**
 * Shows the page a clock that stands at `MOMENT`, and programs that listen. Those of this machine are other people's, and
 * the audit has found the ports of the test at an address of its own.
 */
export async function showMoment(page: Page, request: Request): Promise<void> {
  await page.clock.setFixedTime(MOMENT);
  const { items } = (await request('GET', '/v1/allocations?host=localhost&limit=1000')).body;
  const listening = (items as { port: number; service: string; project: string }[])
    .filter(({ port }) => !STOPPED.has(port))
    .map(({ port, service, project }) => listener(port, PROGRAMS[service] ?? 'node', `/home/kim/${project}`));
  const all = [
    ...listening,
    listener(3140, 'python3', '/home/sam/notebook'),
    listener(3190, 'python3', '/home/sam/notebook'),
  ];
  await page.route('**/v1/listeners*', (route) =>
    route.fulfill({ json: { items: all.sort((a, b) => a.port - b.port), nextCursor: null } }),
  );
}

const listener = (port: number, process: string, path: string) => ({
  port,
  host: 'localhost',
  protocol: 'tcp',
  process,
  pid: 1000 + port,
  path,
  address: '127.0.0.1',
});
