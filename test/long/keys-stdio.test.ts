// API keys over stdio, in processes as an agent starts them.
import t, { type Test } from 'tap';
import { createDatabase, makeSeededDir } from '../helpers/database.js';
import { ADMIN, ADMIN_KEY, WITH_KEYS } from '../helpers/keys.js';
import { closeAtEnd, spawnAgent } from '../helpers/mcp.js';
import { startService } from '../helpers/service.js';

const PATH = process.env.PATH ?? '';

type Place = (t: Test) => Promise<{ service: Record<string, string>; dataDir?: string }>;
const places: [name: string, place: Place][] = [
  [
    'over HTTP, on PostgreSQL',
    async (t) => ({ service: { DATABASE_URL: await createDatabase(t, process.env.TEST_TEMPLATE), ...WITH_KEYS } }),
  ],
  [
    'over the socket of the data folder',
    async (t) => {
      const dataDir = await makeSeededDir(t);
      return { service: { DATA_DIR: dataDir, ...WITH_KEYS }, dataDir };
    },
  ],
];

for (const [name, place] of places) {
  t.test(`a key has the rights of its role, ${name}`, async (t) => {
    const { service: variables, dataDir } = await place(t);
    const service = await startService(t, variables).ready();
    const where = dataDir ? { PORT_ALLOCATOR_DATA_DIR: dataDir } : { PORT_ALLOCATOR_URL: await service.url };
    const keyOf = async (role: string, ...projects: string[]): Promise<string> => {
      const key = { name: [role, ...projects].join(' '), role, projects };
      return (await service.call('POST', '/v1/api-keys', key, { headers: ADMIN })).body.key;
    };
    const getPort = async (key: string | null) => {
      const env = { ...where, PATH, ...(key !== null && { PORT_ALLOCATOR_API_KEY: key }) };
      const agent = await closeAtEnd(t, spawnAgent(env));
      const result = await agent.callTool({ name: 'get-port', arguments: { project: 'odin', service: 'api' } });
      return result.isError ? result.content[0].text : result.structuredContent.port;
    };
    t.match(await getPort(null), /^unauthorized: This needs a key\. Set PORT_ALLOCATOR_API_KEY /);
    t.match(await getPort('pa_wrong'), /^unauthorized: The key that was sent is not valid here\. Set /);
    t.match(await getPort(await keyOf('reader')), /forbidden/);
    t.match(await getPort(await keyOf('project', 'consilio')), /forbidden/);
    t.equal(await getPort(await keyOf('project', 'odin')), 3300);
    t.equal(await getPort(ADMIN_KEY), 3300);
    const { body } = await service.call('GET', '/v1/projects/odin/services/api', undefined, { headers: ADMIN });
    t.equal(body.port, 3300);
  });
}
