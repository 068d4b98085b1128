import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { callerFields, objectFields } from '../change-log.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The body of the answer to anything but a GET, kept until the request is logged. */
    answerBody: unknown;
  }
}

/**
 * Logs one line for each request that changed something or was refused: who did what to which object, and the outcome.
 */
export function registerLog(app: FastifyInstance): void {
  app.decorateRequest('answerBody', null);
  app.addHook('preSerialization', (request, _reply, payload, done) => {
    if (request.method !== 'GET') request.answerBody = payload;
    done(null, payload);
  });
  app.addHook('onResponse', (request, reply, done) => {
    logAnswer(request, reply);
    done();
  });
}

/**
 * Successful requests that only read are logged at level `debug`. So are successful requests to /mcp, because each tool
 * call logs a line of its own.
 */
function logAnswer(request: FastifyRequest, reply: FastifyReply): void {
  const { method, id: reqId, answerBody } = request;
  const { redact } = request.server;
  const { schema, url: route } = request.routeOptions;
  const { statusCode: status } = reply;
  const refusal = status >= 400 ? (answerBody as { code?: string } | null)?.code : undefined;
  const isDetail = status === 200 && (route === '/mcp' || isRead(request));
  if (isDetail && !logsDebug(request.log)) return;
  request.log[isDetail ? 'debug' : 'info'](
    {
      reqId,
      ...callerFields(request.caller),
      operation: schema?.operationId,
      object: objectFields(request.params, refusal === undefined ? answerBody : null, redact),
      outcome: status >= 400 ? (refusal ?? 'refused') : 'done',
      method,
      url: redact(request.url.split('?')[0] ?? ''), // without the query, which may hold something confidential
      status,
      ms: Math.round(reply.elapsedTime * 10) / 10,
    },
    'Answered',
  );
}

const logsDebug = ({ level }: FastifyBaseLogger) => level === 'debug' || level === 'trace';

/**
 * A PUT with an empty body that is answered with 200 found what it asked for and changed nothing: it counts as a read.
 */
function isRead({ method, body }: FastifyRequest): boolean {
  if (method === 'GET' || method === 'HEAD') return true;
  return method === 'PUT' && Object.keys((body as object | undefined) ?? {}).length === 0;
}
