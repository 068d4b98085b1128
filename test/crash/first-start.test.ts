// kill -9 while the embedded database is created: the next start must not find a half-created one.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { makeDataDir } from '../helpers/database.js';
import { startService } from '../helpers/service.js';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 5);
/** The process starts, unpacks the template and opens the database. */
const LAST_KILL_MS = 3000;

t.test('a first start that is killed at any moment leaves a directory that the next start opens', async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const ms = Math.round((LAST_KILL_MS * (round + Math.random())) / ROUNDS); // at a random moment of each part
    const variables = { DATA_DIR: await makeDataDir(t) };
    const foreign = join(variables.DATA_DIR, 'unfinished-novel');
    await mkdir(foreign);
    await writeFile(join(foreign, 'chapter-1'), 'It was a dark and stormy night');
    const killed = startService(t, variables);
    await sleep(ms);
    await killed.kill('SIGKILL');
    const again = await startService(t, variables).ready();
    const answer = await again.call('PUT', '/v1/projects/consilio/services/api');
    t.match(answer, { status: 201, body: { port: 3100 } }, `killed after ${ms} ms`);
    const left = (await readdir(variables.DATA_DIR)).filter((name) => name.startsWith('.port-allocator-unfinished-'));
    t.same(left, [], 'nothing of the killed creation is left');
    t.match(await readFile(join(foreign, 'chapter-1'), 'utf8'), /stormy/, 'what is not ours is left alone');
    t.equal(await again.kill('SIGTERM'), 0);
  }
});
