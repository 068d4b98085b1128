// A name that is misspelt makes nothing and takes nothing away: it is refused with the names that are close.
import t from 'tap';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { ADMIN, bearer, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { readRegistry } from '../helpers/rows.js';

const CALLS: [name: string, input: object][] = [
  ['get-port', { service: 'web' }],
  ['get-environment-ports', { services: ['web', 'api'] }],
  ['allocate-port', { service: 'web' }],
  ['list-ports', {}],
  ['list-ports', { service: 'web', environment: 'default' }],
  ['release-port', { service: 'web' }],
  ['release-environment', { environment: 'default' }],
  ['update-port', { service: 'web', description: 'x' }],
  ['reserve-port', { ttlSeconds: 60 }],
  ['port-summary', {}],
  ['list-environments', {}],
];

t.test('a misspelt project', async (t) => {
  const database = await openPostgres(t);
  const request = requester(await makeApp(t, database, WITH_KEYS));
  for (const project of ['shop', 'shipping', 'shopper']) {
    await request('PUT', `/v1/projects/${project}/services/web?createProject=true`, undefined, ADMIN);
  }
  const { key } = await makeKey(request, 'project', 'shop', 'shopp');
  const tell = async (name: string, input: object, headers: Record<string, string>) => {
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } };
    const accept = 'application/json, text/event-stream';
    const { text } = await request('POST', '/mcp', message, { accept, ...headers });
    const { isError, content } = JSON.parse(text.replace(/^[^{]*/, '')).result;
    return `${isError ? '' : 'done: '}${content[0].text}`;
  };
  const before = await readRegistry(database.db);
  for (const [name, input] of CALLS) {
    t.match(
      await tell(name, { project: 'shopp', ...input }, ADMIN),
      /^project-not-found: Project shopp has no range\. Did you mean shop or shopper\?\nNext: /,
      name,
    );
    const limited = await tell(name, { project: 'shopp', ...input }, bearer(key));
    t.match(
      limited,
      /^project-not-found: Project shopp has no range\. Did you mean shop\?\nNext: /,
      `${name} by a key`,
    );
    const closed = await tell(name, { project: 'shoppin', ...input }, bearer(key));
    t.match(closed, /^forbidden: /, `${name} of a project that the key does not open`);
    t.notMatch(closed, /shipping|shopper/, `${name} tells no names`);
  }
  t.match(
    await tell('get-port', { project: 'shopp', service: 'web', createProject: true }, bearer(key)),
    /^forbidden: Project shopp has no range\. Did you mean shop\? A key with the role admin can give it one/,
  );
  t.equal(await readRegistry(database.db), before, 'nothing has changed');
});
