import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { stringify } from 'yaml';
import { ManifestSchema } from '../../scripts/manifest-schema.js';
import { FolderProblem } from '../../src/detection/folder-problem.js';
import { fillVariables, toRequestedServices } from '../../src/detection/manifest/content.js';
import { findManifest, readManifest } from '../../src/detection/manifest/find.js';
import { packageRoot } from '../../src/package-root.js';
import { holds } from '../helpers/properties.js';

const FULL = `
project: shop
services: { web: {}, api: { serviceType: http }, db: { compose: { service: postgres, target: 5432 } } }
env:
  API_URL: http://localhost:{api.port}
  DATABASE: '{{"port": {db.port}}}'
  WEB: "{web.url}/{environment}"
  COMPOSE_PROJECT_NAME: shop-{environment}
  WORKERS: 0x10
`;

/** What is told of the errors of a text, without the name of the file. */
async function errorsOf(text: string): Promise<string[]> {
  try {
    await readManifest('ports.yaml', text);
    return [];
  } catch (error) {
    if (!(error instanceof FolderProblem)) throw error;
    return error.message.split('\n').map((line) => line.replace('ports.yaml:', ''));
  }
}

t.test('a manifest names the project, the services and further variables', async (t) => {
  const manifest = await readManifest('ports.yaml', FULL);
  t.equal(manifest.project, 'shop');
  t.same(toRequestedServices(manifest), [
    { service: 'web' },
    { service: 'api', serviceType: 'http' },
    { service: 'db' },
  ]);
  t.same(manifest.services[2]?.compose, { service: 'postgres', target: 5432 });
  const ports = new Map([...manifest.services.keys()].map((i) => [manifest.services[i]?.service, 3100 + i]));
  const filled = fillVariables(manifest, {
    project: 'shop',
    environment: 'feature-x',
    serviceOf: (service) => ({ port: ports.get(service) as number, url: `http://localhost:${ports.get(service)}` }),
  });
  t.same(filled, [
    { name: 'API_URL', value: 'http://localhost:3101' },
    { name: 'DATABASE', value: '{"port": 3102}' },
    { name: 'WEB', value: 'http://localhost:3100/feature-x' },
    { name: 'COMPOSE_PROJECT_NAME', value: 'shop-feature-x' },
    { name: 'WORKERS', value: '0x10' },
  ]);
});

t.test('what is not named is null or empty', async (t) => {
  const nothing = { project: null, services: [], env: [] };
  for (const text of ['{}', 'services:', 'services:\nenv:\n']) t.same(await readManifest('', text), nothing, text);
  t.same((await readManifest('', 'services:\n  web:\n')).services, [{ service: 'web' }]);
  t.same((await readManifest('', '\ufeffservices: &all { web: }\nenv: { A: &b x, B: *b }\n')).env.length, 2);
});

t.test('an error is told with its line, its column and what is allowed', async (t) => {
  for (const [text, ...expected] of [
    ['', /^1:1: The file is empty. Write the services/],
    ['# nothing\n---\n', /^1:1: The file is empty/],
    ['- web\n', /^1:1: The file must be a map with the fields project, services, env/],
    [
      'projekt: shop\n',
      /^1:1: projekt is not a known field. Did you mean project\? Known are: project, services, env\.$/,
    ],
    ['project: Shop\n', /^1:10: project is "Shop", which is not a name.* Try shop\.$/],
    ['project: 12\n', /^1:10: project must be a name/],
    ['project:\n', /^1:\d+: project must be a name/],
    ['services: [web]\n', /^1:11: services must be a map of services, such as \{ web: \{\}, api: \{\} \}\.$/],
    ['services:\n  web: 3000\n', /^2:8: services.web must be a map, which may be empty: \{\}\.$/],
    ['services:\n  Web/App: {}\n', /^2:3: The name of a service is "Web\/App", which is not a name/],
    ['services:\n  3d: {}\n', /^2:3: services.3d begins with a digit, and no variable may: 3D_PORT\.$/],
    ['services:\n  a-b: {}\n  a_b: {}\n', /^3:3: services.a_b would get A_B_PORT, which a-b has already\.$/],
    ['services:\n  web:\n    port: 3000\n', /^3:5: services.web.port is not a known field.* Known are: serviceType/],
    ['services: { web: { serviceType: 5 } }', /^1:33: services.web.serviceType must be a text of one line/],
    ['services: { web: { cloudflareHostname: a } }', /^1:40: .*must be a hostname alone/],
    [
      'services: { db: { compose: {} } }',
      /^1:28: .*compose.service is required/,
      /^1:28: .*compose.target is required/,
    ],
    ['services: { db: { compose: } }', /^1:\d+: services.db.compose must be a map such as/],
    ['services: { db: { compose: { service: a, target: 0 } } }', /^1:50: .*target must be the port in the container/],
    [
      'services:\n  a: &c { compose: { service: x, target: 1 } }\n  b: *c\n',
      /^3:3: services.b would get the port 1 of x, which a has already\.$/,
    ],
    ['services: { web: }\nservices: {}\n', /^2:1: Map keys must be unique\.$/],
    ['services:\n  web: {}\n  web: {}\n', /^3:3: Map keys must be unique\.$/],
    ['env: { 1A: x }', /^1:8: env.1A is no name of a variable/],
    ['env: { Path: x }', /^1:8: env.Path is not allowed: it decides which programs .* Set it in your shell\.$/],
    ['env: { GIT_SSH_COMMAND: x, NODE_ENV: x, ENV: x }', /^1:8: env.GIT_SSH_COMMAND is not allowed/],
    ['env: { A: }', /^1:\d+: env.A must be a text\. Write "" for an empty one\.$/],
    ['env: { A: [] }', /^1:11: env.A must be a text/],
    ['env:\n  A: "x\\ny"\n', /^2:6: env.A must be one line/],
    [
      'env: { A: "{web.port}" }',
      /^1:11: env.A has \{web.port\}, but web is no service of this file. Its services: none/,
    ],
    ['services: { web: }\nenv: { A: "{web.prot}" }', /^2:11: env.A has \{web.prot\}, which is not known\. Known are/],
    ['env: { A: "{" }', /^1:11: env.A has a single \{.* is written twice\.$/],
    ['services: { web: }\nenv: { WEB_PORT: 1 }', /^2:8: env.WEB_PORT is the port of the service web already/],
    ['a: b: c\n', /^1:4: Nested mappings are not allowed in compact mappings\.$/],
    ['project: shop\n---\nproject: x\n', /^2:1: A second document begins here/],
    ['project: A\nenv: { 1: x }\nx: y\n', /^1:10: /, /^2:8: /, /^3:1: /],
  ] as [string, ...RegExp[]][]) {
    const errors = await errorsOf(text);
    t.equal(errors.length, expected.length, `${text}\n${errors.join('\n')}`);
    for (const [i, pattern] of expected.entries()) t.match(errors[i], pattern, text);
  }
});

t.test('the schema for editors is committed, and agrees with the check', async (t) => {
  const committed = readFileSync(join(packageRoot, 'openapi', 'ports.schema.json'), 'utf8');
  t.equal(committed, `${JSON.stringify(ManifestSchema, null, 2)}\n`, 'run `npm run openapi`');
  const validate = new Ajv2020({ strict: false }).compile(JSON.parse(committed));
  const name = fc.constantFrom('web', 'a.b', 'Web', '3d', 'x/y', '');
  const text = fc.constantFrom('x', '', 'a\u0007', '{web.port}', '{project}', '{', '{{', '{nope}', 'a.example.com');
  const value = fc.oneof(text, fc.constantFrom(null, 5, true, 0, 65536, 1.5, [], {}));
  const compose = fc.record(
    { service: value, target: fc.oneof(fc.constant(80), value), extra: value },
    { requiredKeys: [] },
  );
  const service = fc.record(
    {
      serviceType: value,
      description: value,
      cloudflareHostname: value,
      compose: fc.oneof(compose, value),
      port: value,
    },
    { requiredKeys: [] },
  );
  const manifest = fc.record(
    {
      project: fc.oneof(name, value),
      services: fc.oneof(fc.dictionary(name, fc.oneof(service, value)), value),
      env: fc.oneof(fc.dictionary(fc.constantFrom('A', 'b_1', '1A', 'A-B', 'PATH', 'LD_PRELOAD'), value), value),
      extra: value,
    },
    { requiredKeys: [] },
  );
  await holds(
    t,
    fc.asyncProperty(manifest, async (content) => {
      // What the schema cannot say: which services there are, and that two services may not share a compose entry.
      const errors = await errorsOf(stringify(content));
      const isRefused = errors.some((error) => !/is no service of this file|which .* has already/.test(error));
      return validate(content) !== isRefused;
    }),
    { numRuns: 500 },
  );
});

t.test('the nearest ports.yaml at or above the folder counts', async (t) => {
  const root = makeFolder(t);
  const deep = join(root, 'apps', 'web', 'src');
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(root, 'ports.yaml'), 'project: above\n');
  t.match(await findManifest(deep, async () => null), {
    project: 'above',
    folder: root,
    file: join(root, 'ports.yaml'),
  });
  writeFileSync(join(root, 'apps', 'web', 'ports.yaml'), 'project: near\n');
  t.match(await findManifest(deep, async () => null), { project: 'near', folder: join(root, 'apps', 'web') });
  mkdirSync(join(deep, 'ports.yaml'));
  t.match(await findManifest(deep, async () => null), { project: 'near' }, 'a folder of this name is none');
  writeFileSync(join(deep, 'ports.yml'), 'project: x\n');
  await t.rejects(
    findManifest(deep, async () => null),
    {
      message: /ports\.yml is not read\.$/,
      remedy: 'Rename it to ports.yaml',
    },
  );
});

t.test('a pipe in its place is passed over, and a file that is too large is refused', async (t) => {
  const root = makeFolder(t);
  const below = join(root, 'below');
  mkdirSync(below);
  execFileSync('mkfifo', [join(root, 'ports.yaml')]);
  t.equal(await findManifest(below, async () => null), null);
  writeFileSync(join(below, 'ports.yaml'), `project: shop #${'x'.repeat(4 * 1024 * 1024)}`);
  await t.rejects(
    findManifest(below, async () => null),
    {
      name: 'FolderProblem',
      message: /ports\.yaml is larger than 4096 KiB\.$/,
    },
  );
});

t.test(
  'a manifest of another user counts only within the working tree',
  { skip: process.getuid?.() !== 0 },
  async (t) => {
    const root = makeFolder(t);
    const own = join(root, 'own');
    mkdirSync(own);
    writeFileSync(join(root, 'ports.yaml'), 'project: other\n');
    chownSync(join(root, 'ports.yaml'), 4242, 4242);
    t.equal(await findManifest(own, async () => null), null);
    t.match(await findManifest(own, async () => root), { project: 'other' });
    writeFileSync(join(root, 'ports.yml'), 'project: other\n');
    chownSync(join(root, 'ports.yml'), 4242, 4242);
    t.equal(await findManifest(own, async () => null), null, 'nor does a misspelt one stop anybody');
    chownSync(own, 4242, 4242);
    t.match(await findManifest(own, async () => null), { project: 'other' }, 'the owner of the current folder');
  },
);

const makeFolder = (t: Test): string => realpathSync(t.testdir());
