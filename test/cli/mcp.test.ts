// The command as an MCP server on stdin and stdout. How its messages are passed on is tested in test/client.
import t from 'tap';
import { coreTools, tools } from '../../src/mcp/tools.js';
import { openShop } from '../helpers/cli.js';

const LIST = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })}\n`;

t.test('agents see the core tools, and all of them if they are asked for', async (t) => {
  const { pa } = await openShop(t);
  const listed = async (...options: string[]) => {
    const { code, stdout } = await pa(['mcp', ...options], { input: LIST });
    t.equal(code, 0);
    return JSON.parse(stdout).result.tools.map(({ name }: { name: string }) => name);
  };
  const namesOf = (some: typeof tools) => some.map(({ name }) => name);
  t.same(await listed(), namesOf(coreTools));
  t.same(await listed('--tools', 'core'), namesOf(coreTools));
  t.same(await listed('--tools', 'all'), namesOf(tools));
  t.match(await pa(['mcp', '--tools', 'some']), { code: 2, stderr: /Allowed choices are core, all/ });
});
