// What agents over HTTP, and people who call the command, read where a key is missing, wrong, expired or not for this.
import { Client as NewClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import t, { type Test } from 'tap';
import { requester } from '../helpers/app.js';
import { callCli } from '../helpers/cli.js';
import { ADMIN_KEY, bearer, expireKey, makeKey, WITH_KEYS } from '../helpers/keys.js';
import { clients, closeAtEnd } from '../helpers/mcp.js';
import { serveApp } from '../helpers/served.js';

const CALL = { name: 'get-port', arguments: { project: 'odin', service: 'web' } };

async function serveWithKeys(t: Test) {
  const served = await serveApp(t, WITH_KEYS);
  const request = requester(served.app);
  const expired = await makeKey(request, 'project', 'odin');
  await expireKey(served, expired.id);
  return { ...served, expired: expired.key, elsewhere: (await makeKey(request, 'project', 'consilio')).key };
}

/** The first line that the command writes to stderr: what is wrong. The second one says what to do. */
async function sentenceOf(variables: Record<string, string>): Promise<string> {
  const { stderr } = await callCli(['port', 'web', '--project', 'odin'], { variables });
  return stderr.split('\n')[0] as string;
}

t.test('a key that is missing, wrong, expired or of another project', async (t) => {
  const { url, variables, expired, elsewhere } = await serveWithKeys(t);
  const told = async (key: string) => sentenceOf({ ...variables, ...(key && { PORT_ALLOCATOR_API_KEY: key }) });

  for (const [what, key, sentence] of [
    ['missing', '', /^This needs a key\.$/],
    ['wrong', 'pa_wrong', /^The key that was sent is not valid here\.$/],
    ['expired', expired, /^The key that was sent has expired \(20\d\d-.*Z\)\.$/],
  ] as const) {
    t.test(`${what}: a client is refused with the sentence of the command`, async (t) => {
      const expected = await told(key);
      t.match(expected, sentence);
      for (const { name, overHttp } of clients) {
        const failure = await overHttp(`${url}/mcp`, key === '' ? {} : bearer(key)).catch((error) => error);
        // By the current revision, the official client says only that a key is needed.
        const isShort = name.includes('current');
        t.ok(failure.message.includes(isShort ? 'requires authorization' : expected), `${name}: ${failure.message}`);
      }
    });
  }

  t.test('of another project: the agent reads the sentence, and what to ask for', async (t) => {
    const expected = await told(elsewhere);
    t.equal(expected, 'This key covers consilio, and not odin. Use a key that covers it.');
    for (const { overHttp } of clients) {
      const client = await closeAtEnd(t, overHttp(`${url}/mcp`, bearer(elsewhere)));
      const { isError, content } = await client.callTool(CALL);
      t.ok(isError);
      const [first, next] = content[0].text.split('\n');
      t.equal(first, `forbidden: ${expected}`);
      t.match(
        next,
        /^Next: ask the user for an API key that may do that, in PORT_ALLOCATOR_API_KEY or as a bearer token/,
      );
    }
  });

  t.test('who has not the whole key is not told that it has expired', async (t) => {
    const guessed = `${expired.slice(0, -1)}${expired.endsWith('A') ? 'B' : 'A'}`;
    t.equal(await told(guessed), 'The key that was sent is not valid here.');
  });

  t.test('with a key in a header, every client works', async (t) => {
    for (const { name, overHttp } of clients) {
      const client = await closeAtEnd(t, overHttp(`${url}/mcp`, bearer(ADMIN_KEY)));
      t.equal((await client.callTool(CALL)).structuredContent.port, 3300, name);
    }
  });
});

/** As much of an OAuth client as the official clients need to look for a server of it. */
const OAUTH = {
  redirectUrl: 'http://localhost:9/callback',
  clientMetadata: { client_name: 'test', redirect_uris: ['http://localhost:9/callback'] },
  clientInformation: () => undefined,
  saveClientInformation() {},
  tokens: () => undefined,
  saveTokens() {},
  redirectToAuthorization() {},
  saveCodeVerifier() {},
  codeVerifier: () => 'x',
};

t.test(
  'a client that knows OAuth uses the key that it is given, and without one says that a key is needed',
  async (t) => {
    const { url } = await serveWithKeys(t);
    const address = new URL(`${url}/mcp`);
    const info = { name: 'test', version: '1' };
    const connect = async (version: string, headers: Record<string, string>) => {
      const options = { authProvider: OAUTH, requestInit: { headers } };
      if (version === '1.x') {
        const client = new OldClient(info);
        await client.connect(new OldTransport(address, options) as Parameters<OldClient['connect']>[0]);
        return client;
      }
      const client = new NewClient(info);
      await client.connect(new StreamableHTTPClientTransport(address, options));
      return client;
    };
    for (const version of ['1.x', '2']) {
      const client = await connect(version, bearer(ADMIN_KEY));
      t.match(await client.callTool(CALL), { structuredContent: { port: 3300 } }, version);
      await client.close();
      await t.rejects(
        connect(version, {}),
        { message: /This needs a key\. Send Authorization: Bearer <key>\./ },
        version,
      );
    }
  },
);
