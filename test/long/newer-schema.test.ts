// The rule for migrations (docs/production.md): the previous version must keep working while a migration runs and after
// it. So a migration only adds things, which the older code neither sees nor needs.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { migrationsFolder } from '../../src/database/migrate.js';
import { createDatabase, openPostgres } from '../helpers/database.js';
import { checkHistory } from '../helpers/history/check.js';
import { Recorder } from '../helpers/history/recorder.js';
import { PROJECTS, portsOf, Traffic } from '../helpers/history/traffic.js';
import { findViolations } from '../helpers/registry.js';
import { startService } from '../helpers/service.js';

/** The last migration from before the first release. No other version ever ran on the schema of an earlier one. */
const FIRST_RELEASE = '0013';

/**
 * Matches a statement that takes something from the older code: it removes or renames something, changes a type, or
 * adds a column that must be filled.
 */
const TAKES_AWAY =
  /\bdrop\s+(table|column|view|function|type|domain|schema)|\brename\b|\balter\s+column\s+\w+\s+(set\s+data\s+)?type\b|\bset\s+not\s+null\b|\badd\s+(column\s+)?(if\s+not\s+exists\s+)?\w+\s+[^,;]*\bnot\s+null\b(?![^,;]*\bdefault\b)/i;
/** A comment with which a migration states that the previous release no longer used what it removes. */
const SAYS_SINCE_WHEN = /^-- Unused since \d+\.\d+\.\d+: /m;

/**
 * Everything that the rule allows, in each table that the service writes, locked in the same order as by the service.
 */
const NEWER = `
  lock table port_ranges in access exclusive mode;
  alter table port_allocations add column owner text, add column priority integer not null default 0;
  alter table port_ranges add column cost_centre text default 'none';
  alter table port_reservations add column renewals integer not null default 0;
  create index port_allocations_by_owner on port_allocations (owner);
  create table port_notes (id bigint generated always as identity primary key, port integer not null, note text);
  insert into port_allocator_migrations (name) values ('9999_newer')`;

t.test('every migration since the first release follows the rule', async (t) => {
  t.match('alter table a drop column b', TAKES_AWAY);
  t.match('alter table a add column b text not null', TAKES_AWAY);
  t.match('alter table a alter column b type text', TAKES_AWAY);
  t.notMatch(NEWER, TAKES_AWAY);
  for (const file of readdirSync(migrationsFolder).filter((file) => file.slice(0, 4) > FIRST_RELEASE)) {
    const text = readFileSync(join(migrationsFolder, file), 'utf8');
    t.ok(!TAKES_AWAY.test(text) || SAYS_SINCE_WHEN.test(text), `${file} takes something from the version before`);
  }
});

t.test('replicas go on serving while a newer one migrates, and can be started again afterwards', async (t) => {
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  const { db } = await openPostgres(t, url);
  const start = () => startService(t, { DATABASE_URL: url }).ready();
  const replicas = [await start(), await start()];
  let asked = 0;
  const urls = await Promise.all(replicas.map((replica) => replica.url));
  const recorder = new Recorder(() => urls[asked++ % urls.length] as string, 15_000);
  const traffic = new Traffic(recorder, { projects: PROJECTS, callersPerProject: 2, pauseMs: 5 });
  await sleep(1500);
  const newer = new pg.Client({ connectionString: url });
  await newer.connect();
  t.teardown(() => newer.end());
  await newer.query(`begin; ${NEWER}; commit`);
  const before = recorder.history.length;
  await sleep(1500);
  t.ok(recorder.history.length > before);

  const restarted = await start();
  urls[0] = await restarted.url;
  await sleep(1500);
  await traffic.stop();
  t.same(
    [...recorder.outcomes.keys()].filter((outcome) => /^(unknown|refused|wrong)/.test(outcome)),
    [],
  );
  t.same(checkHistory(recorder.history, portsOf).violations, []);
  t.same(await findViolations(db), []);

  const reserved = await restarted.call('POST', '/v1/projects/odin/reservations', { ttlSeconds: 60 });
  t.equal(reserved.status, 201);
  t.equal((await restarted.call('POST', `/v1/reservations/${reserved.body.id}/claim`, { service: 'x' })).status, 201);
  t.equal((await restarted.call('GET', '/v1/allocations?status=any')).status, 200);
  t.notHas((await restarted.call('GET', '/v1/ranges')).body.items[0], { cost_centre: 'none' });
});
