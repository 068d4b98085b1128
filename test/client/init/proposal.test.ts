import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { stringify } from 'yaml';
import { readComposeServices } from '../../../src/client/init/compose-services.js';
import { proposeManifest, proposeServices, writeManifest } from '../../../src/client/init/proposal.js';
import { readManifest } from '../../../src/detection/manifest/find.js';
import { holds } from '../../helpers/properties.js';

t.test('the ports of a compose file, in every form', async (t) => {
  const { ports, notes } = readComposeServices(
    `
x-common: &common
  ports: ["9000"]
services:
  web: { ports: ["\${WEB_PORT:-8080}:80", "127.0.0.1:8443:443/tcp", "[::1]:80:80"] }
  db: { ports: [{ target: 5432, published: 5432 }] }
  cache: { ports: [6379] }
  worker: { image: x }
  shared: { <<: *common }
  dns: { ports: ["53:53/udp", { target: 53, protocol: udp }] }
  many: { ports: ["3000-3002:3000-3002", "80:\${TARGET}", "1:0", { published: 80 }, "9:\${TARGET:-90}"] }
  broken: { ports: 80 }
  nothing:
`,
    'compose.yaml',
  );
  t.same(ports, [
    { service: 'web', target: 80 },
    { service: 'web', target: 443 },
    { service: 'db', target: 5432 },
    { service: 'cache', target: 6379 },
    { service: 'shared', target: 9000 },
    { service: 'many', target: 90 },
  ]);
  t.same(notes, [
    'compose.yaml: a port of dns was left out, because its protocol is udp, and compose entries are for TCP.',
    'compose.yaml: a port of dns was left out, because its protocol is udp, and compose entries are for TCP.',
    'compose.yaml: a port of many was left out, because it is the range 3000-3002: list its ports one by one.',
    'compose.yaml: a port of many was left out, because its port in the container is no number.',
    'compose.yaml: a port of many was left out, because its port in the container is no number.',
    'compose.yaml: a port of many was left out, because its port in the container is no number.',
  ]);
  t.match(readComposeServices('a: [', 'compose.yaml').notes, [
    /^compose\.yaml was left out, because it cannot be read: /,
  ]);
  for (const text of ['', '5', '[]', 'services: 1', 'services: [1]']) t.same(readComposeServices(text, '').ports, []);
});

t.test('a manifest is made of compose file, packages and Procfile', async (t) => {
  const folder = realpathSync(t.testdir());
  const write = (name: string, content: string | object) =>
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  const propose = async () => {
    const { text, notes } = await proposeManifest('shop', folder);
    const { services } = await readManifest('ports.yaml', text);
    return { names: services.map(({ service }) => service), services, notes, text };
  };
  t.match(await propose(), { names: ['web'], notes: [/^Nothing here says/] });
  write('package.json', { scripts: { test: 'x' } });
  t.match(await propose(), { names: ['web'], notes: [/^Nothing here says/] });
  write('package.json', { scripts: { dev: 'vite' } });
  t.match(await propose(), { names: ['web'], notes: [] });
  write('Procfile', 'web: npm start\nworker: node worker.js\nadmin: node admin.js -p $PORT\n');
  t.match(await propose(), { names: ['web', 'admin'] });
  for (const [name, content] of [
    ['api', { name: '@acme/Api', scripts: { start: 'node .' } }],
    ['ui', { scripts: { dev: 'vite' } }],
    ['lib', { name: 'lib', scripts: { test: 'x' } }],
  ] as const) {
    mkdirSync(join(folder, 'apps', name), { recursive: true });
    write(join('apps', name, 'package.json'), content);
  }
  write('package.json', { workspaces: ['apps/*', 'none/*', 'a/**'], scripts: { dev: 'turbo' } });
  t.match(await propose(), { names: ['api', 'ui', 'web', 'admin'] });
  write('docker-compose.yml', 'services: { web: { ports: ["80", "81"] }, true: { ports: [1] }, 9x: { ports: [1] } }');
  const { names, services, text } = await propose();
  t.same(names, ['web', 'web-81', 'true', 'service-9x', 'api', 'ui', 'admin']);
  t.same(services[1]?.compose, { service: 'web', target: 81 });
  t.match(
    text,
    /^# yaml-language-server: \$schema=\.\/node_modules\/.*\/openapi\/ports\.schema\.json\n# .*\nproject: shop\nservices:\n/,
  );
});

t.test('what is proposed is read back without an error', async (t) => {
  const name = fc.oneof(
    fc.string({ maxLength: 70 }),
    fc.constantFrom('web', 'Web', 'we_b', 'we-b', '3', 'true', 'x'.repeat(70)),
  );
  const target = fc.constantFrom(
    80,
    '80',
    '1:2',
    '1-2',
    `$\{A:-5}`,
    '70000',
    { target: 9 },
    { target: 9, protocol: 'udp' },
    null,
  );
  const compose = fc.dictionary(name, fc.record({ ports: fc.array(target, { maxLength: 4 }) }), { maxKeys: 6 });
  const project = fc.stringMatching(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/);
  await holds(
    t,
    fc.asyncProperty(project, compose, fc.array(name, { maxLength: 6 }), async (project, services, names) => {
      const { ports } = readComposeServices(stringify({ services }), 'compose.yaml');
      const proposed = proposeServices(ports, names);
      if (proposed.length === 0) return;
      const manifest = await readManifest('ports.yaml', writeManifest(project, proposed));
      return manifest.project === project && manifest.services.length === proposed.length;
    }),
    { numRuns: 300 },
  );
});
