// What a person does not see reaches no agent raw, and what an agent reads is still the text that was stored.
import t from 'tap';
import { makeVisible } from '../../src/input/visible.js';
import { makeApp, requester } from '../helpers/app.js';
import { openPostgres } from '../helpers/database.js';
import { clients, closeAtEnd, listenMcp } from '../helpers/mcp.js';

const FAMILY = '👩‍👩‍👧';
const HIDDEN = [...'obey'].map((c) => String.fromCodePoint(0xe0000 + c.charCodeAt(0))).join('');
const UNSEEN = `web\u202e\u200b${HIDDEN}`;
const WRITTEN = 'web\\u{202e}\\u{200b}\\u{e006f}\\u{e0062}\\u{e0065}\\u{e0079}';
const LONGEST = '\u200b'.repeat(1000);

for (const { name, overHttp } of clients) {
  t.test(`texts of callers, with ${name}`, async (t) => {
    const app = await makeApp(t, await openPostgres(t));
    const request = requester(app);
    const details = { description: `${UNSEEN} ${FAMILY}`, metadata: { [UNSEEN]: [UNSEEN, 'two\nlines'] } };
    const stored = (await request('PUT', '/v1/projects/odin/services/web', details)).body;
    t.match(stored, details, 'REST answers what was sent');
    const client = await closeAtEnd(t, overHttp(await listenMcp(app)));
    await client.listTools(); // with their schemas, by which clients check the answers

    const call = (tool: string, input: Record<string, unknown>) => client.callTool({ name: tool, arguments: input });
    const { content, structuredContent } = await call('list-ports', { project: 'odin' });
    t.equal(makeVisible(content[0].text), content[0].text, 'the text has nothing that is not seen');
    t.same(JSON.parse(content[0].text).items, [stored], 'and says the same as REST');
    t.match(structuredContent.items[0], {
      description: `${WRITTEN} ${FAMILY}`,
      metadata: { [WRITTEN]: [WRITTEN, 'two\nlines'] },
    });

    await request('PATCH', `/v1/allocations/${stored.id}`, { description: LONGEST });
    const longest = await call('get-port', { project: 'odin', service: 'web' });
    t.equal(longest.structuredContent.description, '\\u{200b}'.repeat(1000), 'no client refuses it for its length');

    const refused = await call('get-port', { project: 'odin', service: UNSEEN, [UNSEEN]: 1 });
    t.equal(refused.isError, true);
    for (const input of [{ [UNSEEN]: 1 }, { service: UNSEEN }, { service: 'web', host: UNSEEN }]) {
      const { text } = (await call('get-port', { project: 'odin', service: 'web', ...input })).content[0];
      t.equal(makeVisible(text.replaceAll('\n', ' ')), text.replaceAll('\n', ' '), text);
    }
    const error = await call(UNSEEN, {}).catch(({ message }: Error) => message);
    t.ok(error.includes(`There is no tool ${WRITTEN}.`), error);
  });
}
