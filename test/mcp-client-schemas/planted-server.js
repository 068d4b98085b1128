// An MCP server of planted schemas: the path of its URL is the name of the one that its only tool has. Prints its address.
import { createServer } from 'node:http';
import { planted } from './planted.js';

function answer({ method, params }, path) {
  if (method === 'tools/list') {
    const tool = { name: 'planted', description: 'Planted.', inputSchema: planted[path.slice(1)].schema };
    return { result: { tools: [tool] } };
  }
  if (method !== 'initialize') return { error: { code: -32601, message: `There is no ${method} here.` } };
  const { protocolVersion } = params;
  return { result: { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'planted', version: '1' } } };
}

const server = createServer(async (request, response) => {
  if (request.method !== 'POST') return response.writeHead(405).end();
  const message = JSON.parse(Buffer.concat(await request.toArray()).toString());
  if (message.id === undefined) return response.writeHead(202).end();
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...answer(message, request.url) }));
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`));
