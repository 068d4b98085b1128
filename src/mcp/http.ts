import { randomUUID } from 'node:crypto';
import { type AuthInfo, createMcpHandler, ProtocolErrorCode } from '@modelcontextprotocol/server';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { type Caller, callerId } from '../access/caller.js';
import type { Redact } from '../access/redact.js';
import type { ToldFolder } from '../detection/agents-folder.js';
import { AppError } from '../errors.js';
import { findExcess } from '../input/json.js';
import { escapeInJson } from '../input/visible.js';
import { mediaTypes } from '../media-types.js';
import { decodeUtf8, parserOf, requireUniqueNames } from '../plugins/bodies.js';
import { IdempotencyHeaders, StringEnum } from '../schemas/common.js';
import { BODY_BOUNDS, findUnstorable } from '../schemas/validation.js';
import type { Service } from '../service.js';
import { whenClosed } from '../when-closed.js';
import { FolderHeader } from './folder.js';
import { createServer } from './server.js';
import { openTools } from './tools.js';

/** A body as it was parsed. `value` is missing if the text is not JSON, `excess` says why a text was not parsed. */
interface McpBody {
  text: string;
  value?: unknown;
  excess?: string;
}

/** The arguments of a tool stand in a request (`params`, `arguments`), and may be as deep as a body of REST. */
const MESSAGE_BOUNDS = { ...BODY_BOUNDS, depth: BODY_BOUNDS.depth + 2 };
/** One request could otherwise ask for a hundred large answers at a time, which the limits count as one. */
const NO_BATCHES =
  'Batches are not taken (MCP has had none since its revision 2025-06-18): send one message per request.';

/** What a client that repeats calls sends beside them. A bridge repeats a call whose service ended before it answered. */
const CallHeaders = Type.Object({
  ...IdempotencyHeaders.properties,
  repeated: Type.Optional(Type.Literal('true')),
  folder: Type.Optional(Type.String({ maxLength: 8192 })),
});
const ListQuery = Type.Object({ tools: Type.Optional(StringEnum(['core', 'all'])) }, { additionalProperties: false });

interface Call {
  Body: McpBody | undefined;
  Headers: Static<typeof CallHeaders>;
  Querystring: Static<typeof ListQuery>;
}

const PRODUCES = [mediaTypes.json, mediaTypes.events];

/**
 * MCP over Streamable HTTP, without sessions: each request gets a server of its own, by the current revision of the
 * protocol and by those of 2025, so that any replica can answer any request. Authentication and limits are those of
 * REST. GET and DELETE serve sessions only, and are answered with 405.
 */
export const mcpOverHttp: FastifyPluginAsync<Service> = async (app, service) => {
  const { mcpTools } = service.config;
  const handler = createHandler(service, (err) => app.log.debug({ err }, 'MCP request refused'));
  app.addHook('onClose', () => handler.close());
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', parserOf(parseMessage));
  app.register(noOAuth);

  for (const path of ['/mcp', '/mcp/']) {
    app.post<Call>(
      path,
      {
        schema: { hide: true, headers: CallHeaders, querystring: ListQuery },
        // No timeout, because an audit may take any time. What the other tools wait for has time limits of its own.
        config: { produces: PRODUCES, takesBody: true, timeoutMs: null },
      },
      async (request, reply) => {
        const { caller, body, headers, query } = request;
        if (body?.excess !== undefined) return reply.code(400).send(invalidRequest(`The message ${body.excess}.`));
        if (Array.isArray(body?.value)) return reply.code(400).send(invalidRequest(NO_BATCHES));
        const folder = parseFolderHeader(headers.folder);
        const extra = { caller, folder, listed: query.tools ?? mcpTools } satisfies Extra;
        const authInfo = { token: '', clientId: callerId(caller), scopes: [], extra };
        const webRequest = toWebRequest(request, reply, body?.text ?? null);
        return redactRefusal(await handler.fetch(webRequest, { authInfo, parsedBody: body?.value }), service.redact);
      },
    );
  }
};

/** Makes a server for each request. */
function createHandler(service: Service, onerror: (error: Error) => void) {
  const callTool = openTools(service);
  return createMcpHandler(
    ({ requestInfo, authInfo }) => {
      const { caller, folder, listed } = (authInfo as AuthInfo).extra as object as Extra;
      const headers = requestInfo?.headers;
      const origin = {
        idempotencyKey: headers?.get('idempotency-key') ?? null,
        isRepeated: headers?.get('repeated') === 'true',
        folder,
        // Where neither keys nor ALLOW_UNAUTHENTICATED are in force, plugins/local-only.ts refuses all other machines.
        isLocal: caller.kind === 'anonymous' && !service.config.allowUnauthenticated,
        client: headers?.get('user-agent') ?? null,
        requestId: headers?.get('x-request-id') ?? randomUUID(),
      };
      return createServer((request) => callTool({ ...request, caller }), service.redact, origin, listed);
    },
    { onerror, maxSubscriptions: 0 },
  );
}

/** With another answer than 404, clients that know OAuth would not use the key that they are given. */
const noOAuth: FastifyPluginAsync = async (app) => {
  for (const path of ['/.well-known/*', '/mcp/.well-known/*']) {
    app.get(path, { schema: { hide: true } }, () => {
      throw new AppError('not-found', 'This service has no OAuth: it takes an API key as a bearer token.');
    });
  }
};

/** What goes along with a request to the server that is made for it. */
interface Extra {
  caller: Caller;
  folder: ToldFolder | null;
  listed: 'core' | 'all';
}

/** @throws AppError validation-failed for a header that no bridge sends */
function parseFolderHeader(header: string | undefined): ToldFolder | null {
  if (header === undefined) return null;
  let folder: unknown;
  try {
    folder = JSON.parse(Buffer.from(header, 'base64url').toString());
  } catch {}
  if (Value.Check(FolderHeader, folder) && findUnstorable(folder) === null) return folder;
  const error = { pointer: '/headers/folder', detail: 'is not what a bridge of this version sends' };
  throw new AppError('validation-failed', 'The header folder cannot be read.', { errors: [error] });
}

/** A refusal of a message that is not read as far as its id (JSON-RPC 2.0, 5.1). */
const invalidRequest = (message: string) => ({
  jsonrpc: '2.0',
  id: null,
  error: { code: ProtocolErrorCode.InvalidRequest, message },
});

/** The MCP handler quotes headers in refusals of its own, such as a revision of the protocol that it does not know. */
async function redactRefusal(response: Response, redact: Redact): Promise<Response> {
  const { ok, status, headers } = response;
  return ok ? response : new Response(escapeInJson(redact(await response.text())), { status, headers });
}

/**
 * Parses a body. What is not JSON and what is too deep or has too many values is no refusal here, because the protocol
 * says how it is answered.
 * @throws AppError
 */
function parseMessage(bytes: Buffer): McpBody {
  const text = decodeUtf8(bytes);
  const excess = findExcess(text, MESSAGE_BOUNDS);
  if (excess !== null) return { text, excess };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { text };
  }
  requireUniqueNames(text, value);
  return { text, value };
}

/**
 * Converts a request for the MCP handler. Its signal is aborted when the answer was sent or the client has
 * disconnected.
 */
function toWebRequest(request: FastifyRequest, reply: FastifyReply, body: string | null): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
  headers.delete('authorization');
  headers.set('x-request-id', request.id);
  // The MCP handler looks for the names of both types in the text of `Accept`, and would refuse `*/*`.
  headers.set('accept', PRODUCES.filter((type) => request.accepts().type([type])).join(', '));
  // Not `request.signal`, which is aborted as soon as the body has been read.
  const closed = new AbortController();
  whenClosed(reply.raw, () => closed.abort());
  return new Request(new URL('/mcp', 'http://localhost'), {
    method: request.method,
    headers,
    body,
    signal: closed.signal,
  });
}
