import { createMcpHandler } from '@modelcontextprotocol/server';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { type Caller, callerId, UNIDENTIFIED } from '../access/caller.js';
import { decodeUtf8, NOT_UTF8 } from '../plugins/json.js';
import type { Service } from '../service.js';
import { createServer } from './server.js';
import { openTools } from './tools.js';

/**
 * MCP over Streamable HTTP, stateless: every request is served by a server of its own, the current revision's and
 * the 2025 ones' alike, so that any replica answers any request. All that guards REST guards this too. There is no
 * GET and no DELETE, which belong to sessions: they are 405 as on every path.
 */
export const mcpOverHttp: FastifyPluginAsync<Service> = async (app, service) => {
  const callTool = openTools(service);
  const handler = createMcpHandler(
    ({ requestInfo, authInfo }) => {
      const caller = (authInfo?.extra?.caller as Caller | undefined) ?? UNIDENTIFIED;
      const requestId = requestInfo?.headers.get('x-request-id') ?? undefined;
      return createServer((request) => callTool({ ...request, caller }), requestId);
    },
    { onerror: (err) => app.log.debug({ err }, 'MCP request refused'), maxSubscriptions: 0 },
  );
  app.addHook('onClose', () => handler.close());

  // The protocol says how a body that is no JSON is answered, so it is handed over as it came.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, bytes, done) => {
    const text = decodeUtf8(bytes as Buffer);
    done(text === null ? NOT_UTF8 : null, text);
  });

  app.post(
    '/mcp',
    {
      schema: { hide: true },
      // An audit takes as long as it takes; what other tools wait for is bounded in itself.
      config: { produces: ['application/json', 'text/event-stream'], timeoutMs: null },
    },
    (request, reply) => {
      const { caller } = request;
      const authInfo = { token: '', clientId: callerId(caller), scopes: [], extra: { caller } };
      return handler.fetch(toWebRequest(request, reply), { authInfo });
    },
  );
};

/** With the request's own id; aborted when it is over, be it that its client has gone or that it was timed out. */
function toWebRequest(request: FastifyRequest, reply: FastifyReply): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
  headers.delete('authorization');
  headers.set('x-request-id', request.id);
  // Not `request.signal`: its 'close' comes as soon as the body has been read.
  const over = new AbortController();
  reply.raw.once('close', () => over.abort());
  return new Request(new URL('/mcp', 'http://localhost'), {
    method: request.method,
    headers,
    body: request.body as string,
    signal: over.signal,
  });
}
