import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { callerFields, objectFields } from '../change-log.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** What was answered to a change, until it is logged. */
    answered: unknown;
  }
}

/** One line for each request that changed something or was refused: who did what to which object, and the outcome. */
export function registerLog(app: FastifyInstance): void {
  app.decorateRequest('answered', null);
  app.addHook('preSerialization', (request, _reply, payload, done) => {
    if (request.method !== 'GET') request.answered = payload;
    done(null, payload);
  });
  app.addHook('onResponse', (request, reply, done) => {
    logAnswer(request, reply);
    done();
  });
}

/** What only looked is worth no line, unless asked for. A tool call has a line of its own. */
function logAnswer(request: FastifyRequest, reply: FastifyReply): void {
  const { method, id: reqId, answered } = request;
  const { redact } = request.server;
  const { schema, url: route } = request.routeOptions;
  const { statusCode: status } = reply;
  const refusal = status >= 400 ? (answered as { code?: string } | null)?.code : undefined;
  const looked = status === 200 && (route === '/mcp' || isLook(request));
  if (looked && !tellsOfLooks(request.log)) return;
  request.log[looked ? 'debug' : 'info'](
    {
      reqId,
      ...callerFields(request.caller),
      operation: schema?.operationId,
      object: objectFields(request.params, refusal === undefined ? answered : null, redact),
      outcome: status >= 400 ? (refusal ?? 'refused') : 'done',
      method,
      url: redact(request.url.split('?')[0] ?? ''), // a query may hold what belongs in no log
      status,
      ms: Math.round(reply.elapsedTime * 10) / 10,
    },
    'Answered',
  );
}

const tellsOfLooks = ({ level }: FastifyBaseLogger) => level === 'debug' || level === 'trace';

/** A PUT that found what it asked for, and had nothing to describe it by. */
function isLook({ method, body }: FastifyRequest): boolean {
  if (method === 'GET' || method === 'HEAD') return true;
  return method === 'PUT' && Object.keys((body as object | undefined) ?? {}).length === 0;
}
