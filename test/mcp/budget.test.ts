// All of tools/list stands in the context of every agent, whether it needs a port or not.
import t from 'tap';
import { makeApp } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

const bytes = (text: string) => Buffer.byteLength(text);

t.test('tools and answers are short', async (t) => {
  const url = await listenMcp(await makeApp(t, await openPostgres(t)));
  const [{ overHttp }] = clients as [(typeof clients)[number]];
  const [core, all] = await Promise.all([closeAtEnd(t, overHttp(url)), closeAtEnd(t, overHttp(`${url}?tools=all`))]);

  t.test('the lists of tools', async (t) => {
    const sizes = await Promise.all([core, all].map(async (client) => bytes(JSON.stringify(await client.listTools()))));
    t.ok((sizes[0] as number) <= 12_000, `core: ${sizes[0]}`);
    t.ok((sizes[1] as number) <= 20_000, `all: ${sizes[1]}`);
    t.same((await core.listTools()).tools.map(({ name }) => name).sort(), CORE.sort());
    t.same((await all.listTools()).tools.map(({ name }) => name).sort(), [...CORE, ...FURTHER].sort());
  });

  t.test('answers', async (t) => {
    const call = (name: string, input: Record<string, unknown>) => core.callTool({ name, arguments: input });
    const one = await call('get-port', {
      project: 'shared-services',
      service: 'authentication',
      environment: 'staging',
    });
    t.ok(bytes(one.content[0].text) <= 240, one.content[0].text);
    const services = ['web', 'api', 'database', 'cache', 'queue'];
    const five = await call('get-environment-ports', {
      project: 'shared-services',
      environment: 'feature-x',
      services,
    });
    t.ok(bytes(five.content[0].text) <= 700, five.content[0].text);
    for (const { structuredContent } of [
      one,
      five,
      await call('list-ports', { project: 'shared-services' }),
      await call('describe-port', { port: 9000 }),
      await call('port-summary', { project: 'shared-services' }),
      await call('audit-ports', { project: 'shared-services' }),
      await call('reserve-port', { project: 'odin', ttlSeconds: 60 }),
    ]) {
      t.notMatch(JSON.stringify(structuredContent), /:null/);
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
