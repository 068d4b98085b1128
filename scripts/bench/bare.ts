// What look-ups are compared with: a bare Fastify route that runs one prepared single-row SELECT per request.
import Fastify from 'fastify';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const app = Fastify();
app.get<{ Params: { project: string; service: string } }>('/:project/:service', async (request) => {
  const { rows } = await pool.query({
    name: 'find',
    text: `select id, port, project, service, environment, host, protocol, status from port_allocations
           where released_at is null and project = $1 and service = $2 and environment = 'default'
             and host = 'localhost' and protocol = 'tcp' order by port limit 1`,
    values: [request.params.project, request.params.service],
  });
  return rows[0];
});
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
process.send?.('ready');
process.on('disconnect', () => process.exit(0));
