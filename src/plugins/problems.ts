import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Redact } from '../access/api-key.js';
import { toRefusal } from '../database/errors.js';
import { AppError, type FieldError, nextStepOf, type ProblemCode, problems } from '../errors.js';
import { describeFinding, type Finding } from '../schemas/validation.js';
import { nextSteps } from './next-steps.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Takes the keys out of what is logged or answered. */
    redact: Redact;
  }
}

/** Every refusal leaves as `application/problem+json` (RFC 9457); this is the one place that makes them. */
export function registerProblems(app: FastifyInstance, redact: Redact): void {
  app.decorate('redact', redact);
  app.setErrorHandler((error: FastifyError | AppError, request, reply) =>
    sendProblem(toHttpRefusal(error), request, reply),
  );
  app.setNotFoundHandler((request, reply) => {
    const methods = methodsOf(app, request.url.split('?')[0] ?? '/');
    const refusal =
      methods.length > 0
        ? new AppError(
            'method-not-allowed',
            `${request.method} is not possible here; this path has ${methods.join(', ')}.`,
            {
              allow: methods,
            },
          )
        : new AppError(
            'not-found',
            'There is nothing at this path. GET /openapi.json lists all paths, /docs shows them.',
          );
    return sendProblem(refusal, request, reply);
  });
}

/** Also for errors before routing, which Fastify hands to `frameworkErrors`. */
export function sendProblem(refusal: AppError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { code, status, extras } = refusal;
  request.server.observer.refused(code);
  const logged = { reqId: request.id, err: refusal.cause ?? refusal, code };
  if (status === 500) request.log.error(logged, 'Unexpected error');
  else if (status === 503) request.log.warn(logged, 'Not served');
  const { retryAfter, allow } = extras;
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
  if (allow) reply.header('allow', allow.join(', '));
  // Serialised here: a route's response schemas must not decide what a refusal may say.
  return reply
    .code(status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .serializer((body: unknown) => JSON.stringify(body))
    .send(toProblem(refusal, request));
}

/** The refusal as the document that clients get. */
export function toProblem({ code, status, message, extras }: AppError, request: FastifyRequest): object {
  const { errors, holder, nextPortAvailableAt } = extras;
  return {
    type: `urn:port-allocator:problem:${code}`,
    title: problems[code].title,
    status,
    detail: [message, nextStepOf(nextSteps, code, extras)].filter(Boolean).join(' '),
    instance: request.server.redact(request.url.split('?')[0] ?? '/'),
    code,
    requestId: request.id,
    ...(errors && { errors }),
    ...(holder && { holder }),
    ...(nextPortAvailableAt !== undefined && { nextPortAvailableAt }),
  };
}

/** The refusal that an error is to a client of HTTP, where Fastify has errors of its own. */
export function toHttpRefusal(error: unknown): AppError {
  return toRefusal(readFastifyError(error as FastifyError) ?? error);
}

function readFastifyError(error: FastifyError): AppError | null {
  const { validation, validationContext, code, statusCode, message } = error;
  if (validation) {
    const errors = validation.map((finding) => describeInPart(finding, validationContext));
    const told = errors.map(({ pointer, detail }) => `${pointer || 'The body'} ${detail}`).join('; ');
    return new AppError('validation-failed', told, { errors });
  }
  const known = FASTIFY_ERRORS[code ?? ''];
  if (known) return new AppError(known[0], known[1], {}, { cause: error });
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return null;
  const told = message || STATUS_CODES[statusCode] || 'The request is not valid';
  return new AppError('validation-failed', told, {}, { cause: error });
}

// https://fastify.dev/docs/latest/Reference/Errors/
const FASTIFY_ERRORS: Record<string, [ProblemCode, string]> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported-media-type',
    'Send JSON, with Content-Type: application/json; only POST /v1/imports takes text/plain too.',
  ],
  FST_ERR_CTP_INVALID_JSON_BODY: ['validation-failed', 'The body is no valid JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['validation-failed', 'The body is empty.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload-too-large', 'Bodies may have 1 MiB.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['validation-failed', 'The body is not as long as Content-Length says.'],
  FST_ERR_BAD_URL: [
    'validation-failed',
    'The URL is malformed: a percent sign must be followed by two hex digits of UTF-8.',
  ],
  FST_ERR_MAX_PARAM_LENGTH: ['validation-failed', 'A part of the path is too long.'],
};

function describeInPart(finding: Finding, context: string | undefined): FieldError {
  const root = { body: '', querystring: '/query', params: '/path', headers: '/headers' }[context ?? 'body'] ?? '';
  const { pointer, detail } = describeFinding(finding);
  return { pointer: root + pointer, detail };
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

function methodsOf(app: FastifyInstance, path: string): string[] {
  return METHODS.filter((method) => app.findRoute({ method, url: path }) !== null);
}
