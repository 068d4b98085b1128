// npm run bench:profile: shows where a service spends its time while it answers look-ups, and while it allocates and
// releases in one range, both for 64 clients. V8 takes the samples (`node --cpu-prof`). Time in which the process waits
// is left out.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requestAll, runPairs } from './load.js';
import { Subjects } from './subjects.js';

const SECONDS = 8;
const SHOWN = 14;

/** https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile; times in microseconds. */
interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[];
  samples: number[];
  timeDeltas: number[];
}

/** The share that each part of the program has in the busy time after the start, in percent, largest first. */
function sharesOf({ nodes, samples, timeDeltas }: Profile, startSeconds: number): [part: string, percent: number][] {
  const partOf = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  let elapsed = 0;
  for (const [i, id] of samples.entries()) {
    const part = partOf.get(id) ?? '';
    const time = timeDeltas[i] ?? 0;
    elapsed += time;
    if (part === '(idle)' || elapsed < startSeconds * 1e6) continue;
    times.set(part, (times.get(part) ?? 0) + time);
  }
  const total = [...times.values()].reduce((sum, time) => sum + time, 0);
  return [...times].map(([part, time]): [string, number] => [part, (100 * time) / total]).sort((a, b) => b[1] - a[1]);
}

/** The package, the folder of src/, or the module of Node that a function belongs to. */
function nameOf({ functionName, url }: Profile['nodes'][number]['callFrame']): string {
  const [, packageName] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
  if (packageName) return packageName;
  const [, own] = /\/dist\/(src\/[^/]+)/.exec(url) ?? [];
  if (own) return own;
  if (url.startsWith('node:')) return url.replace(/^node:(internal\/)?([^/]+).*/, 'node: $2');
  return functionName.startsWith('(') ? functionName : `compiled or native: ${functionName || 'nameless'}`;
}

async function profile(title: string, load: (url: string) => Promise<unknown>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'port-allocator-profile-'));
  const subjects = await Subjects.start();
  try {
    const service = await subjects.startService(await subjects.createDatabase('profiled'), { profileInto: folder });
    await load(service.url);
    await service.stop();
    const [file = ''] = await readdir(folder);
    const shares = sharesOf(JSON.parse(await readFile(join(folder, file), 'utf8')), service.startSeconds);
    process.stdout.write(`\n${title}\n\n| part | busy time |\n| --- | --- |\n`);
    for (const [part, percent] of shares.slice(0, SHOWN))
      process.stdout.write(`| ${part} | ${percent.toFixed(1)} % |\n`);
  } finally {
    await subjects.stop();
    await rm(folder, { recursive: true });
  }
}

await profile('Look-ups: get-or-allocate of what is allocated', async (url) => {
  const paths = Array.from({ length: 50 }, (_, i) => `/v1/projects/consilio/services/s${i}`);
  await requestAll(url, 'PUT', paths, SECONDS);
});
await profile('Allocate and release in one range', (url) =>
  runPairs(url, { projects: ['odin'], clients: 64, seconds: SECONDS }),
);
