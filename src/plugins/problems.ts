import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify';
import type { Redact } from '../access/redact.js';
import { toRefusal } from '../database/errors.js';
import { AppError, type FieldError, nextStepOf, type ProblemCode, problems } from '../errors.js';
import { describeFinding, type Finding, refuseName, unknownFieldOf, withoutSuggestedKeys } from '../input/findings.js';
import { findMeantPath, findSlashedNames } from '../input/paths.js';
import { components } from '../schemas/components.js';
import { BODY_LIMIT_BYTES } from '../schemas/validation.js';
import { nextSteps } from './next-steps.js';

/** The rest of a larger body, and of one of unknown length, is not worth its time. */
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
  app.setErrorHandler((error: FastifyError | AppError, request, reply) => {
    if (isWorthReading(request)) reply.removeHeader('connection');
    return sendProblem(toHttpRefusal(error, request.routeOptions.schema), request, reply);
  });
  const routes = new Set<string>();
  app.addHook('onRoute', ({ url }) => void routes.add(url));
  app.setNotFoundHandler((request, reply) => sendProblem(refusePath(app, request, [...routes]), request, reply));
}

/** The refusal of a request that no route takes, by its method or by its path. */
function refusePath(app: FastifyInstance, { method, url }: FastifyRequest, routes: string[]): AppError {
  const path = url.split('?')[0] ?? '/';
  const methods = methodsOf(app, path);
  if (methods.length > 0) {
    const message = `${method} is not possible here; this path has ${methods.join(', ')}.`;
    return new AppError('method-not-allowed', message, { allow: methods });
  }
  const meant = findMeantPath(path, routes);
  if (meant !== null && methodsOf(app, meant).length > 0) {
    return new AppError('not-found', `There is nothing at this path. Did you mean ${meant}?`);
  }
  const slashed = findSlashedNames(path, routes);
  if (slashed.length > 0) {
    const named = slashed.map(({ parameter, value }) => ({ pointer: `/path/${parameter}`, ...refuseName(value) }));
    return refuseFields(named);
  }
  return new AppError(
    'not-found',
    'There is nothing at this path. GET /openapi.json lists all paths, /docs shows them.',
  );
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
  if (code === 'unauthorized') {
    reply.header(
      'www-authenticate',
      `Bearer realm="port-allocator"${extras.isKeyWrong ? ', error="invalid_token"' : ''}`,
    );
  }
  // Serialized without the route's response schemas, which would drop the fields that they do not know.
  return reply
    .code(status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .serializer(JSON.stringify)
    .send(toProblem(refusal, request));
}

/**
 * Whether to read the rest of a body that was refused, and throw it away (`registerUnreadBodies`). Fastify closes the
 * connection at once instead. The kernel then resets it, because bytes have arrived that nobody read, and the reset can
 * overtake our answer: nginx, which was still sending the body, answered 502 in its place.
 */
function isWorthReading({ headers, raw }: FastifyRequest): boolean {
  return raw.complete || Number(headers['content-length'] ?? Number.POSITIVE_INFINITY) <= DISCARDED_BODY_BYTES;
}

/** The problem document of a refusal. All of it is redacted: the path and a refused value can hold a key. */
export function toProblem(refusal: AppError, request: FastifyRequest): object {
  const { redact } = request.server;
  const { code, status } = refusal;
  const { message, extras } = withoutSuggestedKeys(refusal, redact);
  const { errors, suggestions, holder, path, nextPortAvailableAt } = extras;
  const nextStep = nextStepOf(nextSteps, code, extras);
  const [suggestion, ...others] = (errors ?? []).flatMap((error) => error.suggestion ?? []);
  const problem = {
    type: `urn:port-allocator:problem:${code}`,
    title: problems[code].title,
    status,
    detail: [message, nextStep].filter(Boolean).join(' '),
    ...(nextStep !== '' && { nextStep }),
    instance: request.url.split('?')[0] ?? '/',
    code,
    requestId: request.id,
    ...(errors && { errors }),
    ...(suggestion !== undefined && others.length === 0 && { suggestion }),
    ...(suggestions && { suggestions }),
    ...(holder && { holder }),
    ...(path !== undefined && { path }),
    ...(nextPortAvailableAt !== undefined && { nextPortAvailableAt }),
  };
  const text = JSON.stringify(problem);
  const redacted = redact(text);
  return redacted === text ? problem : JSON.parse(redacted);
}

/**
 * Translates an error into a refusal, including the errors that Fastify makes itself.
 * @param schema that of the route, by the parts of a request
 */
export function toHttpRefusal(error: unknown, schema: FastifySchema = {}): AppError {
  return toRefusal(readFastifyError(error as FastifyError, schema) ?? error);
}

function readFastifyError(error: FastifyError, schema: FastifySchema): AppError | null {
  const { validation, validationContext, code, statusCode, message } = error;
  if (validation) {
    return refuseFields(validation.map((finding) => describeField(finding, validationContext, schema)));
  }
  const known = FASTIFY_ERRORS[code ?? ''];
  if (known) return new AppError(known[0], known[1], {}, { cause: error });
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return null;
  const detail = message || STATUS_CODES[statusCode] || 'The request is not valid';
  return new AppError('validation-failed', detail, {}, { cause: error });
}

function refuseFields(errors: FieldError[]): AppError {
  const detail = errors.map(({ pointer, detail }) => `${pointer || 'The body'} ${detail}`).join(' ');
  return new AppError('validation-failed', detail, { errors });
}

// https://fastify.dev/docs/latest/Reference/Errors/
const FASTIFY_ERRORS: Record<string, [ProblemCode, string]> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported-media-type',
    'Send JSON, with Content-Type: application/json; only POST /v1/imports takes text/plain too.',
  ],
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload-too-large', 'Bodies may have 1 MiB.'],
  FST_ERR_BAD_URL: [
    'validation-failed',
    'The URL is malformed: a percent sign must be followed by two hex digits of UTF-8.',
  ],
  FST_ERR_MAX_PARAM_LENGTH: ['validation-failed', 'A part of the path is too long.'],
};

/** @param context the part of the request that was validated, as Fastify names it */
function describeField(finding: Finding, context = 'body', schema: FastifySchema): FieldError {
  const root = { body: '', querystring: '/query', params: '/path', headers: '/headers' }[context] ?? '';
  const { pointer, detail, ...rest } = describeFinding(finding);
  return { pointer: root + pointer, detail: detail + describeRightPart(finding, context, schema), ...rest };
}

const PARTS = { body: 'body', querystring: 'query', params: 'path' } as const;

/** Of a field that is not known in one part of the request: the part that has a field of this name. */
function describeRightPart(finding: Finding, context: string, schema: FastifySchema): string {
  const name = unknownFieldOf(finding);
  if (name === null) return '';
  const parts = Object.keys(PARTS) as (keyof typeof PARTS)[];
  const right = parts.find((part) => part !== context && Object.hasOwn(fieldsOf(schema[part]), name));
  return right === undefined ? '' : ` It belongs in the ${PARTS[right]}.`;
}

function fieldsOf(part: unknown): object {
  const { $ref, properties } = (part ?? {}) as { $ref?: string; properties?: object };
  return properties ?? components.find(({ $id }) => $id === $ref)?.properties ?? {};
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

function methodsOf(app: FastifyInstance, path: string): string[] {
  return METHODS.filter((method) => app.findRoute({ method, url: path }) !== null);
}
