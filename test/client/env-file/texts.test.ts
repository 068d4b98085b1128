import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { parse } from 'yaml';
import { toComposeLines } from '../../../src/client/env-file/compose.js';
import { toDotenvLines, toExportLines } from '../../../src/client/env-file/texts.js';
import { ClientFailure } from '../../../src/client/failure.js';

const VALUES = [
  '3100',
  'a b',
  '',
  '$HOME',
  '"x"',
  "it's",
  '`id`',
  'a#b',
  'back\\slash',
  '{"a": 1}',
  'größe',
  '~',
  '*',
  '=a&b|c;d',
];
const variables = VALUES.map((value, i) => ({ name: `V${i}`, value }));
const print = `console.log(JSON.stringify(Object.keys(process.env).filter((k) => /^V\\d/.test(k)).map((k) => [k, process.env[k]])))`;
const sorted = (pairs: [string, string][]) => Object.fromEntries(pairs);
const expected = Object.fromEntries(variables.map(({ name, value }) => [name, value]));

t.test('a shell and Node read the same values from a file of variables', async (t) => {
  const file = join(t.testdir(), 'env');
  writeFileSync(file, `${toDotenvLines(variables).join('\n')}\n`);
  const byShell = execFileSync('sh', ['-c', `set -a; . "$1"; "$2" -e '${print}'`, 'sh', file, process.execPath]);
  const byNode = execFileSync(process.execPath, [`--env-file=${file}`, '-e', print]);
  t.same(sorted(JSON.parse(String(byShell))), expected);
  t.same(sorted(JSON.parse(String(byNode))), expected);
});

t.test('a shell reads any value from lines that export it', async (t) => {
  const values = fc.sample(fc.string(), { numRuns: 200, seed: 1 });
  const all = [...VALUES, ...values, `'"$\\\``].map((value, i) => ({ name: `V${i}`, value }));
  const script = `${toExportLines(all).join('\n')}\n"$1" -e '${print}'`;
  const read = execFileSync('sh', ['-c', script, 'sh', process.execPath]);
  t.same(sorted(JSON.parse(String(read))), Object.fromEntries(all.map(({ name, value }) => [name, value])));
});

t.test('a value that programs would read differently is refused', async (t) => {
  t.throws(() => toDotenvLines([{ name: 'A', value: `it's "x"` }]), ClientFailure);
});

t.test('an override file for Compose maps the ports of the containers, and replaces those there were', async (t) => {
  const stack = {
    project: 'shop',
    environment: 'v1.2',
    services: [
      { service: 'web' },
      { service: 'db', compose: { service: 'postgres', target: 5432 } },
      { service: 'mail', compose: { service: 'true', target: 25 } },
      { service: 'mail-ui', compose: { service: 'true', target: 8025 } },
    ],
    portOf: (service: string) => ({ db: 3100, mail: 3101, 'mail-ui': 3102 })[service] as number,
  };
  const text = toComposeLines(stack).join('\n');
  t.match(
    text,
    /^# docker compose .*\n# COMPOSE_PROJECT_NAME=shop-v1-2 .*\nservices:\n {2}postgres:\n {4}ports: !override\n/,
  );
  t.same(parse(text, { logLevel: 'silent' }), {
    services: {
      postgres: { ports: ['127.0.0.1:3100:5432'] },
      true: { ports: ['127.0.0.1:3101:25', '127.0.0.1:3102:8025'] },
    },
  });
  t.throws(() => toComposeLines({ ...stack, services: [{ service: 'web' }] }), /^No service of ports\.yaml says/);
});
