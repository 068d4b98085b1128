// A part of `npm test -- mcp`: both official clients, by every revision of the protocol, over HTTP and over stdio, get the
// same port from one service. The clients and their stdio processes run under the Node that runs this.
import assert from 'node:assert/strict';
import { clients, type McpClient } from '../helpers/mcp.js';

const [url = '', dataDir = ''] = process.argv.slice(2);
const GET_PORT = { name: 'get-port', arguments: { project: 'odin', service: 'web' } };

for (const { name, overHttp, overStdio } of clients) {
  const transports: [string, () => Promise<McpClient>][] = [
    ['HTTP', () => overHttp(url)],
    ['stdio', () => overStdio({ PORT_ALLOCATOR_DATA_DIR: dataDir, PATH: process.env.PATH ?? '' })],
  ];
  for (const [transport, connect] of transports) {
    const client = await connect();
    const { tools } = await client.listTools(); // with their schemas, by which clients check the answers
    assert.ok(tools.some((tool) => tool.name === 'get-port'));
    const { isError, content, structuredContent } = await client.callTool(GET_PORT);
    assert.equal(isError ?? false, false);
    assert.equal(content[0].text, 'web of odin (environment default): 3300');
    assert.equal(structuredContent.port, 3300);
    const refused = await client.callTool({ name: 'get-port', arguments: { project: 'Odin', service: 'web' } });
    assert.match(refused.content[0].text, /^validation-failed: \/project .*\nNext: /);
    await assert.rejects(client.callTool({ name: 'take-port' }), { code: -32602 });
    await client.close();
    process.stdout.write(`${name}, over ${transport}\n`);
  }
}

/** The clients agree on the newest revision of 2025 themselves. */
for (const protocolVersion of ['2025-03-26', '2025-06-18', '2025-11-25']) {
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
  });
  assert.match(await response.text(), new RegExp(`"protocolVersion":"${protocolVersion}"`));
  process.stdout.write(`initialize agrees on ${protocolVersion}\n`);
}
