// Two replicas behind a real HAProxy with the configuration in deploy/. No request fails while they are restarted one
// after another under load. If a replica is killed, only the requests fail that it was just answering.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { findFreePort } from '../../scripts/postgres.js';
import { packageRoot } from '../../src/package-root.js';
import { createDatabase, openPostgres } from '../helpers/database.js';
import { checkHistory } from '../helpers/history/check.js';
import { Recorder } from '../helpers/history/recorder.js';
import { PROJECTS, portsOf, Traffic } from '../helpers/history/traffic.js';
import { startHaproxy } from '../helpers/proxy.js';
import { findViolations } from '../helpers/registry.js';
import { startService } from '../helpers/service.js';

const CALLERS_PER_PROJECT = 3;

/** Two replicas over one database, and the proxy. */
async function setUp(t: Test) {
  const url = await createDatabase(t, process.env.TEST_TEMPLATE);
  const { db } = await openPostgres(t, url);
  const ports = [await findFreePort(), await findFreePort()];
  const at = (port: number | undefined) => `127.0.0.1:${port}`;
  const start = (i: number) =>
    startService(t, {
      DATABASE_URL: url,
      PORT: String(ports[i]),
      DRAIN_MS: '3000',
      ALLOW_UNAUTHENTICATED: 'true', // needed because HAProxy adds X-Forwarded-For
    });
  const replicas = [start(0), start(1)];
  const proxyAt = at(await findFreePort());
  const isHealthy = async (address: string) => (await fetch(`http://${address}/readyz`)).status === 200;
  for (const replica of replicas) await replica.ready();
  const proxy = await startHaproxy(
    join(packageRoot, 'deploy/haproxy.cfg'),
    { LISTEN: proxyAt, REPLICA_1: at(ports[0]), REPLICA_2: at(ports[1]) },
    () => isHealthy(proxyAt),
  );
  t.teardown(() => proxy.stop());
  /** How often the proxy has found that a replica is well again. */
  const returns = (i: number) => proxy.output().split(`Server replicas/replica-${i + 1} is UP`).length - 1;
  return {
    db,
    replicas,
    recorder: new Recorder(() => `http://${proxyAt}`, 15_000),
    /** Restarts a replica, and waits until the proxy sends requests to it again. @returns its exit code */
    async restart(i: number, signal: NodeJS.Signals): Promise<number | null | undefined> {
      const before = returns(i);
      const code = await replicas[i]?.kill(signal);
      replicas[i] = start(i);
      await replicas[i]?.ready();
      const deadline = performance.now() + 30_000;
      while (returns(i) === before) {
        if (performance.now() > deadline) throw new Error(`replica ${i + 1} did not return: ${proxy.output()}`);
        await sleep(50);
      }
      return code;
    },
  };
}

const failures = (recorder: Recorder) =>
  [...recorder.outcomes].filter(([outcome]) => /^(unknown|refused|wrong)/.test(outcome));

t.test('replicas that are restarted one after another under load fail no request', async (t) => {
  const { db, recorder, restart, replicas } = await setUp(t);
  const traffic = new Traffic(recorder, { projects: PROJECTS, callersPerProject: CALLERS_PER_PROJECT, pauseMs: 5 });
  await sleep(500);
  for (const i of replicas.keys()) {
    t.equal(await restart(i, 'SIGTERM'), 0);
    await sleep(500);
  }
  await traffic.stop();
  t.comment(Object.fromEntries(recorder.outcomes));
  t.ok(recorder.history.length > 500);
  t.same(failures(recorder), []);
  t.same(checkHistory(recorder.history, portsOf).violations, []);
  t.same(await findViolations(db), []);
});

t.test('a replica that is killed loses what it was answering, and nothing else', async (t) => {
  const { db, recorder, restart } = await setUp(t);
  const traffic = new Traffic(recorder, { projects: PROJECTS, callersPerProject: CALLERS_PER_PROJECT, pauseMs: 0 });
  await sleep(1000);
  const killedAt = performance.now();
  await restart(0, 'SIGKILL');
  await sleep(500);
  await traffic.stop();
  t.comment(Object.fromEntries(recorder.outcomes));
  const unanswered = recorder.history.filter(({ answer }) => answer.kind === 'unknown');
  const callers = PROJECTS.length * CALLERS_PER_PROJECT;
  t.ok(unanswered.length <= callers, `${unanswered.length} unanswered: one for each caller at the most`);
  const latest = Math.max(killedAt, ...unanswered.map(({ start }) => start)) - killedAt;
  t.ok(latest <= 100, `none that was asked later than the kill: ${latest.toFixed()} ms`);
  t.same(
    failures(recorder).filter(([outcome]) => !outcome.startsWith('unknown')),
    [],
  );
  t.same(checkHistory(recorder.history, portsOf).violations, []);
  t.same(await findViolations(db), []);
});
