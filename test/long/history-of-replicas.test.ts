// Two services on one database, while ports are excluded and included: every answer is right in some order of the calls.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { createDatabase } from '../helpers/database.js';
import { checkHistory } from '../helpers/history/check.js';
import { Recorder } from '../helpers/history/recorder.js';
import { PROJECTS, portsOf, Traffic } from '../helpers/history/traffic.js';
import { startService } from '../helpers/service.js';

const TRAFFIC_MS = 6000;

t.test('calls of two services are answered as if they had come one after another', async (t) => {
  const DATABASE_URL = await createDatabase(t, process.env.TEST_TEMPLATE);
  const services = [startService(t, { DATABASE_URL }), startService(t, { DATABASE_URL })];
  const urls = await Promise.all(services.map(async (service) => (await service.ready()).url));
  let asked = 0;
  const recorder = new Recorder(() => urls[asked++ % urls.length] as string, 15_000);
  const traffic = new Traffic(recorder, { projects: PROJECTS.slice(0, 2), callersPerProject: 6, pauseMs: 0 });
  await sleep(TRAFFIC_MS);
  await traffic.stop();
  t.same(checkHistory(recorder.history, portsOf).violations, []);
  const count = (op: string, kind: string) =>
    recorder.history.filter((one) => one.asked.op === op && one.answer.kind === kind).length;
  const counts = [count('exclude', 'done'), count('include', 'done'), count('allocate', 'created')];
  t.ok(Math.min(...counts) > 0, `${counts[0]} exclusions, ${counts[1]} ends of one, ${counts[2]} allocations`);
});
