// The primary is killed, cut off from the network, and stopped while two replicas of the service are under load.
// Afterwards everything that was acknowledged is there, no port has been handed out twice, and there is an order of the
// calls in which all answers are right.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { openPostgres } from '../helpers/database.js';
import { checkHistory } from '../helpers/history/check.js';
import type { Operation } from '../helpers/history/operations.js';
import { Recorder } from '../helpers/history/recorder.js';
import { PROJECTS, portsOf, Traffic } from '../helpers/history/traffic.js';
import { PatroniCluster } from '../helpers/patroni.js';
import { findViolations } from '../helpers/registry.js';
import { startService } from '../helpers/service.js';

t.setTimeout(580_000);

const CALLERS_PER_PROJECT = 3;
const PAUSE_MS = 20;
const WITH_PRIMARY_MS = 4000;
const RECOVERY_TIMEOUT_MS = 90_000;

const cluster = await PatroniCluster.start(t);
const replicas = [0, 1].map(() =>
  startService(t, { DATABASE_URL: cluster.url, SEED_ON_START: 'true', REQUEST_TIMEOUT_MS: '5000' }),
);
await Promise.all(replicas.map((replica) => replica.ready()));
const urls = await Promise.all(replicas.map(({ url }) => url));

const faults: [string, (member: number) => Promise<void>, heal: (member: number) => Promise<void>][] = [
  ['killed', (member) => cluster.kill(member), (member) => cluster.startMember(member)],
  ['cut off', (member) => cluster.cutOff(member), (member) => cluster.reconnect(member)],
  ['stopped', (member) => cluster.shutDown(member), (member) => cluster.startMember(member)],
];

for (const [name, strike, heal] of faults) {
  t.test(`the primary is ${name}`, async (t) => {
    await cluster.untilHealthy();
    await forgetHistory();
    let asked = 0;
    const recorder = new Recorder(() => urls[asked++ % urls.length] as string, 15_000);
    const options = { projects: PROJECTS, callersPerProject: CALLERS_PER_PROJECT, pauseMs: PAUSE_MS };
    const traffic = new Traffic(recorder, options);
    await sleep(WITH_PRIMARY_MS);
    const primary = await cluster.primary();
    const struckAt = performance.now();
    const striking = strike(primary);
    const withoutMs = await untilChangesGoOn(recorder, struckAt);
    await striking;
    await sleep(WITH_PRIMARY_MS);
    await traffic.stop();
    t.not(await cluster.primary(), primary);

    const { history } = recorder;
    const lost = lostOf(history);
    t.comment(
      `${name}: ${recorder.answered.length} acknowledged, ${lost.length} lost, ` +
        `${history.filter(({ answer }) => answer.kind === 'unknown').length} of unknown outcome, ` +
        `${history.filter(({ answer }) => answer.kind === 'refused').length} refused, ` +
        `${(withoutMs / 1000).toFixed(1)} s without changes`,
    );
    t.comment(Object.fromEntries(recorder.outcomes));
    t.same(lost, [], 'nothing acknowledged was lost');
    t.same(checkHistory(history, portsOf).violations, [], 'every answer is right in some order');
    const { db } = await openPostgres(t, cluster.url);
    t.same(await findViolations(db), [], 'no port is held twice');
    await heal(primary);
  });
}

/** Empties the registry, because the check of a history starts with an empty one. */
async function forgetHistory(): Promise<void> {
  const client = new pg.Client({ connectionString: cluster.url });
  await client.connect();
  await client.query('truncate port_allocations, port_health_checks, port_reservations, idempotency_keys');
  await client.end();
}

/** @returns for how long no change was made after a moment, in ms */
async function untilChangesGoOn(recorder: Recorder, since: number): Promise<number> {
  const changed = ({ asked, answer, start }: Operation) =>
    start > since && asked.op !== 'look-up' && answer.kind !== 'unknown' && answer.kind !== 'refused';
  // Calls that were in progress when the primary failed, or came before the proxy noticed, do not count as a recovery.
  const settled = since + 2000;
  for (const deadline = since + RECOVERY_TIMEOUT_MS; performance.now() < deadline; await sleep(50)) {
    const after = recorder.history.filter(changed).map(({ end }) => end);
    if (!after.some((end) => end > settled)) continue;
    const times = [since, ...after].sort((a, b) => a - b);
    return Math.max(...times.map((time, i) => time - (times[i - 1] ?? time)));
  }
  throw new Error(`no change for ${RECOVERY_TIMEOUT_MS / 1000} s: ${JSON.stringify([...recorder.outcomes])}`);
}

/** Allocations and releases that were acknowledged and are missing at the end. */
function lostOf(history: Operation[]): string[] {
  const rows = new Map(
    history.flatMap(({ answer }) => (answer.kind === 'rows' ? answer.rows.map((row) => [row.id, row] as const) : [])),
  );
  return history.flatMap(({ answer }) => {
    if (answer.kind === 'created' && !rows.has(answer.id)) return [`allocation ${answer.id} of ${answer.port}`];
    if (answer.kind === 'released' && rows.get(answer.id)?.released !== true) return [`release ${answer.id}`];
    return [];
  });
}
