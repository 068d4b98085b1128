import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Redact } from '../access/api-key.js';
import { toRefusal } from '../database/errors.js';
import { AppError, type FieldError, nextStepOf, type ProblemCode, problems } from '../errors.js';
import { BODY_LIMIT_BYTES, describeFinding, type Finding } from '../schemas/validation.js';
import { nextSteps } from './next-steps.js';

/** A larger body, and one of unknown length, is not worth its time. */
const DISCARDED_BODY_BYTES = 8 * BODY_LIMIT_BYTES;

declare module 'fastify' {
  interface FastifyInstance {
    /** Removes API keys from a text that is logged or answered. */
    redact: Redact;
  }
}

/** Answers every refusal of a request with a problem document, `application/problem+json` (RFC 9457). */
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

/** Sends a problem document. Also used for errors before routing, which Fastify passes to `frameworkErrors`. */
export function sendProblem(refusal: AppError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { code, status, extras } = refusal;
  request.server.observer.refused(code);
  const logged = { reqId: request.id, err: refusal.cause ?? refusal, code };
  if (status === 500) request.log.error(logged, 'Unexpected error');
  else if (status === 503) request.log.warn(logged, 'Not served');
  const { retryAfter, allow } = extras;
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
  if (allow) reply.header('allow', allow.join(', '));
  if (code === 'payload-too-large' && isWorthReading(request)) reply.removeHeader('connection');
  // Serialized without the route's response schemas, which would drop the fields that they do not know.
  return reply
    .code(status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .serializer((body: unknown) => JSON.stringify(body))
    .send(toProblem(refusal, request));
}

/**
 * Whether to read the rest of a body that is too large, and throw it away. Fastify closes the connection at once
 * instead. The kernel then resets it, because bytes have arrived that nobody read, and the reset can overtake our
 * answer: nginx, which was still sending the body, answered 502 in its place.
 */
function isWorthReading({ headers }: FastifyRequest): boolean {
  return Number(headers['content-length'] ?? Number.POSITIVE_INFINITY) <= DISCARDED_BODY_BYTES;
}

/** The problem document of a refusal. */
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

/** Translates an error into a refusal, including the errors that Fastify makes itself. */
export function toHttpRefusal(error: unknown): AppError {
  return toRefusal(readFastifyError(error as FastifyError) ?? error);
}

function readFastifyError(error: FastifyError): AppError | null {
  const { validation, validationContext, code, statusCode, message } = error;
  if (validation) {
    const errors = validation.map((finding) => describeField(finding, validationContext));
    const detail = errors.map(({ pointer, detail }) => `${pointer || 'The body'} ${detail}`).join('; ');
    return new AppError('validation-failed', detail, { errors });
  }
  const known = FASTIFY_ERRORS[code ?? ''];
  if (known) return new AppError(known[0], known[1], {}, { cause: error });
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return null;
  const detail = message || STATUS_CODES[statusCode] || 'The request is not valid';
  return new AppError('validation-failed', detail, {}, { cause: error });
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

/** @param context the part of the request that was validated, as Fastify names it */
function describeField(finding: Finding, context: string | undefined): FieldError {
  const root = { body: '', querystring: '/query', params: '/path', headers: '/headers' }[context ?? 'body'] ?? '';
  const { pointer, detail } = describeFinding(finding);
  return { pointer: root + pointer, detail };
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

function methodsOf(app: FastifyInstance, path: string): string[] {
  return METHODS.filter((method) => app.findRoute({ method, url: path }) !== null);
}
