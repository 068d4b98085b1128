import t from 'tap';
import { makeApp } from '../helpers/app.js';
import { createDatabase, openPostgres } from '../helpers/database.js';
import { clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

const AGENTS = 50;
const SERVICES = 20;

t.setTimeout(120_000);

t.test('50 agents that ask for 20 services at once over two replicas get one port for each service', async (t) => {
  const database = await createDatabase(t);
  const urls: string[] = [];
  for (let replica = 0; replica < 2; replica += 1) {
    urls.push(await listenMcp(await makeApp(t, await openPostgres(t, database))));
  }
  const agents = await Promise.all(
    Array.from({ length: AGENTS }, (_, i) =>
      closeAtEnd(t, (clients[i % clients.length] as (typeof clients)[0]).overHttp(urls[i % 2] as string)),
    ),
  );
  const answers = await Promise.all(
    agents.flatMap((agent) =>
      Array.from({ length: SERVICES }, async (_, s) => {
        const call = { name: 'get-port', arguments: { project: 'consilio', service: `s${s}` } };
        return (await agent.callTool(call)).structuredContent as { service: string; port: number; id: string };
      }),
    ),
  );
  t.equal(answers.length, AGENTS * SERVICES);
  t.equal(new Set(answers.map(({ service, port, id }) => `${service} ${port} ${id}`)).size, SERVICES);
  const ports = [...new Set(answers.map(({ port }) => port))].sort((a, b) => a - b);
  t.same(
    ports,
    Array.from({ length: SERVICES }, (_, i) => 3100 + i),
    'the lowest ones, without a gap',
  );
});
