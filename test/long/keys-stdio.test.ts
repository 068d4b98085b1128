// API keys over stdio, in processes as an agent starts them: on PostgreSQL, and with calls that are passed on to the
// service that has the embedded database open.
import t, { type Test } from 'tap';
import { createDatabase, makeSeededDir } from '../helpers/database.js';
import { ADMIN, ADMIN_KEY, WITH_KEYS } from '../helpers/keys.js';
import { closeAtEnd, spawnAgent } from '../helpers/mcp.js';
import { startService } from '../helpers/service.js';

const PATH = process.env.PATH ?? '';

type Place = (t: Test) => Promise<{ service: Record<string, string>; agent: Record<string, string> }>;
const places: [name: string, place: Place][] = [
  [
    'on PostgreSQL',
    async (t) => {
      const variables = { DATABASE_URL: await createDatabase(t, process.env.TEST_TEMPLATE), ...WITH_KEYS };
      return { service: variables, agent: variables };
    },
  ],
  [
    'passed on to a service', // only the service knows that keys are in force
    async (t) => {
      const variables = { DATA_DIR: await makeSeededDir(t) };
      return { service: { ...variables, ...WITH_KEYS }, agent: variables };
    },
  ],
];

for (const [name, place] of places) {
  t.test(`a key has the rights of its role, ${name}`, async (t) => {
    const variables = await place(t);
    const service = await startService(t, variables.service).ready();
    const keyOf = async (role: string, ...projects: string[]): Promise<string> => {
      const key = { name: [role, ...projects].join(' '), role, projects };
      return (await service.call('POST', '/v1/api-keys', key, { headers: ADMIN })).body.key;
    };
    const getPort = async (key: string | null) => {
      const env = { ...variables.agent, PATH, ...(key !== null && { PORT_ALLOCATOR_API_KEY: key }) };
      const agent = await closeAtEnd(t, spawnAgent(env));
      const result = await agent.callTool({ name: 'get-port', arguments: { project: 'odin', service: 'api' } });
      return result.isError ? result.content[0].text : result.structuredContent.port;
    };
    t.match(await getPort(null), /unauthorized/);
    t.match(await getPort('pa_wrong'), /unauthorized/);
    t.match(await getPort(await keyOf('reader')), /forbidden/);
    t.match(await getPort(await keyOf('project', 'consilio')), /forbidden/);
    t.equal(await getPort(await keyOf('project', 'odin')), 3300);
    t.equal(await getPort(ADMIN_KEY), 3300);
    const { body } = await service.call('GET', '/v1/projects/odin/services/api', undefined, { headers: ADMIN });
    t.equal(body.port, 3300);
  });
}
