import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { environmentVariables } from '../src/config/environment-variables.js';
import { packageRoot } from '../src/package-root.js';

const read = (file: string) => readFileSync(join(packageRoot, file), 'utf8');
const variables = Object.entries(environmentVariables.properties).map(
  ([name, { default: value = '' }]) => [name, String(value)] as const,
);

t.test('.env.example has every variable with its default, in the order of the configuration', async (t) => {
  const listed = [...read('.env.example').matchAll(/^# ([A-Z][A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [
    name,
    value,
  ]);
  t.same(listed, variables);
});

t.test('.env.example explains each variable, and sets none', async (t) => {
  t.notMatch(read('.env.example'), /^[^#\n]/m);
  t.equal(read('.env.example').match(/^# .*[.:].*\n# [A-Z][A-Z_]+=.*$/gm)?.length, variables.length);
});

const [, configuration] = read('README.md').split(/^## Configuration$/m);
t.test("the README's table of the configuration has every variable", { skip: !configuration }, async (t) => {
  for (const [name] of variables) t.match(configuration, new RegExp(`^\\|.*\`${name}\``, 'm'));
});
