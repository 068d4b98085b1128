// What clients in strict mode send. test/long/mcp-nulls.test.ts has every mix.
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { readRegistry } from '../helpers/rows.js';

t.test('null takes nothing away', async (t) => {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database));
  const call = async (name: string, input: unknown) => {
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } };
    const { text } = await request('POST', '/mcp', message, { accept: 'application/json, text/event-stream' });
    return JSON.parse(text.replace(/^[^{]*/, '')).result;
  };
  await request('PUT', '/v1/projects/odin/services/shop?createProject=true', {
    serviceType: 'http',
    description: 'The shop',
    cloudflareHostname: 'shop.example.com',
    metadata: { team: 'core' },
  });
  const before = await readRegistry(database.db);
  const details = { serviceType: null, description: null, cloudflareHostname: null, metadata: null };
  const place = { project: 'odin', service: 'shop', environment: 'default', host: 'localhost', protocol: 'tcp' };

  const asked = await call('get-port', { ...place, ...details });
  t.match(asked.content, [{ text: 'shop of odin (environment default): 3300' }]);
  t.notOk(asked.isError);
  t.notOk((await call('update-port', { ...place, ...details, clear: null, id: null })).isError);
  for (const [name, input] of [
    ['update-port', { ...place, clear: [null] }],
    ['update-port', { ...place, metadata: 'null' }],
    ['get-environment-ports', { project: 'odin', services: [null] }],
    ['get-environment-ports', { project: 'odin', services: null }],
    ['release-environment', { project: 'odin', environment: null, cwd: null }],
    ['release-port', { id: null, service: null, project: 'odin' }],
    ['import-ports', { items: [null] }],
    ['import-ports', { items: [{ port: null }] }],
  ] as const) {
    t.match(
      await call(name, input),
      { isError: true, content: [{ text: /^validation-failed: \// }] },
      JSON.stringify(input),
    );
  }
  t.equal(await readRegistry(database.db), before, 'nothing has changed');
});
