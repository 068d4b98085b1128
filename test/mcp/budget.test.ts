// All of tools/list stands in the context of every agent, whether it needs a port or not, and so does every answer.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { renderToolTable } from '../../scripts/tool-table.js';
import { packageRoot } from '../../src/package-root.js';
import { makeApp } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

const bytes = (value: unknown) => Buffer.byteLength(typeof value === 'string' ? value : JSON.stringify(value));
const longest = (beginning: string) => beginning.padEnd(63, '-long-name');
/** Names and numbers of answers are about this long in tokens (o200k_base). */
const BYTES_PER_TOKEN = 3.35;

t.test('tools and answers are short', async (t) => {
  const url = await listenMcp(await makeApp(t, await openPostgres(t)));
  const [{ overHttp }] = clients as [(typeof clients)[number]];
  const [core, all] = await Promise.all([closeAtEnd(t, overHttp(url)), closeAtEnd(t, overHttp(`${url}?tools=all`))]);
  const call = async (name: string, input: Record<string, unknown>) => {
    const { content, structuredContent, isError } = await core.callTool({ name, arguments: input });
    t.notOk(isError, content[0].text);
    return { text: content[0].text as string, content: structuredContent };
  };

  t.test('the lists of tools', async (t) => {
    const [ofCore, ofAll] = await Promise.all([core.listTools(), all.listTools()]);
    t.ok(bytes(ofCore) <= 12_000, `core: ${bytes(ofCore)}`);
    t.ok(bytes(ofAll) <= 20_000, `all: ${bytes(ofAll)}`);
    t.same(ofCore.tools.map(({ name }) => name).sort(), CORE.sort());
    t.same(ofAll.tools.map(({ name }) => name).sort(), [...CORE, ...FURTHER].sort());
    const docs = readFileSync(join(packageRoot, 'docs/mcp.md'), 'utf8');
    t.ok(docs.includes(renderToolTable()), 'docs/mcp.md has the table that npm run mcp:tools prints');
  });

  t.test('answers, whatever the names', async (t) => {
    const stack = { project: longest('shop'), environment: longest('feature'), createProject: true };
    const one = await call('get-port', { ...stack, service: longest('authentication') });
    t.ok(bytes(one.text) <= 240, one.text);
    const services = ['web', 'api', 'database', 'cache', 'queue'].map(longest);
    const five = await call('get-environment-ports', { ...stack, environment: longest('other'), services });
    t.equal(five.content.items.length, 5);
    t.ok(bytes(five.text) <= 700, five.text);
  });

  t.test('a port costs 60 tokens at most, in either form of the answer', async (t) => {
    const { text, content } = await call('get-port', {
      project: 'shared-services',
      service: 'authentication',
      environment: 'feature/checkout-redesign',
    });
    for (const form of [text, content]) t.ok(bytes(form) / BYTES_PER_TOKEN <= 60, JSON.stringify(form));
  });

  t.test('no tool answers null', async (t) => {
    const project = 'odin';
    const reserve = async () => (await call('reserve-port', { project, ttlSeconds: 60 })).content.id;
    const calls: Record<string, () => Promise<Record<string, unknown>>> = {
      'get-port': async () => ({ project, service: 'web' }),
      'get-environment-ports': async () => ({ project, environment: 'x', services: ['web', 'api'] }),
      'allocate-port': async () => ({ project, service: 'dns', protocol: 'both' }),
      'update-port': async () => ({
        project,
        service: 'web',
        description: 'The shop',
        cloudflareHostname: 'a.example',
      }),
      'reserve-port': async () => ({ project, ttlSeconds: 60 }),
      'claim-reservation': async () => ({ id: await reserve(), service: 'demo' }),
      'cancel-reservation': async () => ({ id: await reserve() }),
      'list-ports': async () => ({ project }),
      'describe-port': async () => ({ port: 3300 }),
      'audit-ports': async () => ({ project, unallocated: true }),
      'port-summary': async () => ({ project }),
      'list-environments': async () => ({ project }),
      'list-ranges': async () => ({}),
      'create-range': async () => ({ project }),
      'import-ports': async () => ({ items: [{ port: 3350 }, { port: 70 }] }),
      'release-port': async () => ({ project, service: 'web' }),
      'release-environment': async () => ({ project, environment: 'x' }),
    };
    t.same(Object.keys(calls).sort(), [...CORE, ...FURTHER].sort());
    for (const [name, inputOf] of Object.entries(calls)) {
      const { content } = await call(name, await inputOf());
      t.notMatch(JSON.stringify(content), /:null|\[null|,null/, name);
    }
  });
});

const CORE = [
  'get-port',
  'allocate-port',
  'list-ports',
  'audit-ports',
  'port-summary',
  'release-port',
  'update-port',
  'describe-port',
  'get-environment-ports',
  'release-environment',
  'reserve-port',
];
const FURTHER = [
  'claim-reservation',
  'cancel-reservation',
  'import-ports',
  'list-environments',
  'list-ranges',
  'create-range',
];
