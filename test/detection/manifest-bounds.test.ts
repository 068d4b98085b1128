// A service reads the ports.yaml of any folder that an agent names, and answers nobody in the time that this takes.
import t from 'tap';
import { FolderProblem } from '../../src/detection/folder-problem.js';
import { readManifest } from '../../src/detection/manifest/find.js';

const MOST_BYTES = 64 * 1024;
const MOST_CPU_MS = 4000; // a tenth of it is needed; each of these texts took a multiple of it, or all memory

/** @returns a text of the largest size that the service reads */
function fill(before: string, entry: (i: string) => string, after = ''): string {
  const parts = [before];
  for (let i = 0, length = before.length + after.length; ; i++) {
    const part = entry(i.toString(36));
    length += part.length;
    if (length > MOST_BYTES) return parts.join('') + after;
    parts.push(part);
  }
}

const readFaults = (text: string): Promise<string> =>
  readManifest('ports.yaml', text).then(
    () => '',
    (error) => {
      if (error instanceof FolderProblem) return error.message;
      throw error;
    },
  );

t.test('the time that a small file takes grows with its size alone', async (t) => {
  await readFaults('x');
  const manyFields = Array.from({ length: 4000 }, (_, i) => `f${i}`).join();
  for (const [what, text] of Object.entries({
    'aliases of a map': fill('services:\n  first: &a {}\n', (i) => `  s${i}: *a\n`),
    'an anchor for each alias': fill('services: {', (i) => `a${i}: &a${i} ,b${i}: *a${i},`, '}'),
    'aliases of a map with many faults': fill(`services: { s: &a { ${manyFields} }, `, (i) => `s${i}: *a,`, '}'),
    'aliases of a long text': fill(`env: { S: &a "${'{{'.repeat(MOST_BYTES / 4)}", `, (i) => `A${i}: *a,`, '}'),
    keys: fill('services: {', (i) => `${i},`, '}'),
  })) {
    const before = process.cpuUsage();
    await readFaults(text);
    const { user, system } = process.cpuUsage(before);
    t.ok((user + system) / 1000 < MOST_CPU_MS, `${what}: ${(user + system) / 1000} ms`);
  }
});

t.test('an alias stands for the last anchor before it', async (t) => {
  const text = `services:
    a: &s { description: &d one }
    b: *s
    c: &s { description: two }
    d: *s
    e: { description: *d }`;
  const { services } = await readManifest('ports.yaml', text);
  t.same(
    services.map(({ service, description }) => `${service} ${description}`),
    ['a one', 'b one', 'c two', 'd two', 'e one'],
  );
  t.match(await readFaults('services: &s { a: *s }'), /^ports\.yaml:1:16: services\.a\.a is not a known field/);
});

t.test('what is wrong in a map that several aliases lead to is told once', async (t) => {
  const text = 'services: { a: &s { port: 1, description: x, description: y }, b: *s }';
  t.same((await readFaults(text)).split('\n'), [
    'ports.yaml:1:21: services.a.port is not a known field. Known are: serviceType, description, cloudflareHostname, compose.',
    'ports.yaml:1:46: Map keys must be unique.',
  ]);
});

t.test('a fault that names what is as long as the file is told in few words', async (t) => {
  const services = Array.from({ length: 1000 }, (_, i) => `service-of-a-long-name-${i}`).join();
  for (const [text, expected] of [
    [`? ${'x'.repeat(60_000)}\n: 1`, /^ports\.yaml:1:3: x+ … .*Known are: project, services, env\.$/],
    [
      `services: { ${services} }\nenv: { A: "{x.port}" }`,
      /^ports\.yaml:2:11: env\.A has \{x\.port\}, but x is no .* … /,
    ],
  ] as [string, RegExp][]) {
    const told = await readFaults(text);
    t.match(told, expected);
    t.ok(told.length < 600, `${told.length} characters`);
  }
});
