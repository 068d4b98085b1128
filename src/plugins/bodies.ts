import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Type } from '@sinclair/typebox';
import { errorCodes, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { AppError, invalid, invalidField } from '../errors.js';
import { describeSyntaxError, findExcess, findRepeatedName } from '../input/json.js';
import { BODY_BOUNDS, BODY_LIMIT_BYTES, createValidator, findUnstorable } from '../schemas/validation.js';
import { hasBody, readBody } from './limits/read-body.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Lets a route take a body although it has no schema for one. */
    takesBody?: boolean;
  }
}

const NUL_IN_TEXT = 'holds NUL characters, as a text in UTF-16 does. Send it in UTF-8, as it was printed';
const NOT_UTF8 = invalid('', 'The body is not UTF-8.');
const NO_BODY = invalid('', 'This call takes no body.');
const TOO_LARGE = new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE();
const OTHER_MEDIA_TYPE = new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE();
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+ *(;|$)/; // RFC 6838, 4.2
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Parses and validates JSON bodies. Values are not converted, unknown fields not dropped, and no body equals `{}`. */
export function registerBodies(app: FastifyInstance): void {
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', parserOf(parseJson));
  // Any other media type. Only its end tells that a chunked body is empty.
  app.addContentTypeParser('*', (request, stream, done) => {
    if (request.is404) return done(null);
    readBody(request, stream, 0, takesBody(request) ? OTHER_MEDIA_TYPE : NO_BODY, (error) => {
      delete request.headers['content-type'];
      done(error, {});
    });
  });
  // By default Fastify does not read the body of a GET or HEAD, and a request with one would not be refused.
  for (const method of ['GET', 'HEAD']) app.addHttpMethod(method, { hasBody: true, overrideExisting: true });
  // The media type of an empty body is ignored: `curl -d ''` sends `application/x-www-form-urlencoded`.
  app.addHook('onRequest', (request, reply, done) => {
    const { headers } = request;
    if (!hasBody(request)) {
      delete headers['content-type'];
      return done();
    }
    // Fastify would refuse a text that is no media type before the body has arrived, which may be empty.
    if (!MEDIA_TYPE.test(headers['content-type'] ?? '')) headers['content-type'] = 'application/octet-stream';
    if (request.is404) return done();
    if (!takesBody(request)) return done(headers['transfer-encoding'] === undefined ? NO_BODY : undefined);
    done(refuseUnreadable(headers, reply));
  });
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.routeOptions.schema?.body === undefined) return done();
    if (request.body === undefined) request.body = {};
    const finding = typeof request.body === 'string' ? findNul(request.body) : findUnstorable(request.body);
    done(finding ? invalidField(finding.pointer, finding.detail) : undefined);
  });

  // A route without a `querystring` schema takes no query. Fastify would accept any.
  app.addHook('onRoute', ({ url, schema }) => {
    if (schema && url.startsWith('/v1/')) schema.querystring ??= Type.Object({}, { additionalProperties: false });
  });

  const validator = createValidator({ coerceTypes: false });
  app.setValidatorCompiler<{ properties?: Record<string, { type?: unknown }> }>(({ schema, httpPart }) => {
    const validate = validator.compile(schema);
    if (httpPart === 'body') return validate;
    return (values: Record<string, unknown>) => {
      for (const [name, text] of Object.entries(values)) {
        const value = readText(schema.properties?.[name]?.type, text);
        if (value !== text) values[name] = value;
      }
      return validate(values) || { error: validate.errors ?? [] };
    };
  });
}

const takesBody = ({ routeOptions: { schema, config } }: FastifyRequest): boolean =>
  schema?.body !== undefined || config.takesBody === true;

/**
 * Makes a parser of bodies. It reads the body only where one is taken: a path without a route is answered without, and
 * of a route that takes none the first byte of a body is refused.
 * @param parse makes a value of the whole body, or throws a refusal
 */
export function parserOf(parse: (bytes: Buffer) => unknown) {
  return (
    request: FastifyRequest,
    stream: IncomingMessage,
    done: (error: Error | null, body?: unknown) => void,
  ): void => {
    if (request.is404) return void done(null);
    const [limit, excess] = takesBody(request) ? [BODY_LIMIT_BYTES, TOO_LARGE] : [0, NO_BODY];
    readBody(request, stream, limit, excess, (error, bytes) => {
      if (error) return done(error);
      let body: unknown;
      try {
        body = parse(bytes);
      } catch (refusal) {
        return done(refusal as Error);
      }
      done(null, body);
    });
  };
}

/** @throws AppError */
function parseJson(bytes: Buffer): unknown {
  const text = decodeUtf8(bytes);
  if (text === '') return {};
  const excess = findExcess(text, BODY_BOUNDS);
  if (excess !== null) throw invalidField('', excess);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw invalid('', describeSyntaxError(text));
  }
  requireUniqueNames(text, body);
  return body;
}

/** Returns a refusal if the body is compressed, or in a charset other than UTF-8, of which ASCII is a part. */
function refuseUnreadable(headers: IncomingHttpHeaders, reply: FastifyReply): AppError | undefined {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (!/^\s*identity\s*$/i.test(encoding)) {
    reply.header('accept-encoding', 'identity'); // RFC 9110, 15.5.16
    return new AppError(
      'unsupported-media-type',
      `The body is encoded as ${JSON.stringify(encoding)}. Send it as it is, without Content-Encoding.`,
    );
  }
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  if (/^(utf-?8|us-ascii)$/i.test(charset)) return undefined;
  return new AppError(
    'unsupported-media-type',
    `Content-Type says that the body is in the charset ${JSON.stringify(charset)}. Send UTF-8.`,
  );
}

/** @throws AppError if an object in the body has a name twice */
export function requireUniqueNames(text: string, body: unknown): void {
  const fault = findRepeatedName(text, body);
  if (fault) throw invalidField(fault.pointer, fault.detail);
}

/**
 * The only check of a text body as a whole. Each line is checked when it is read, and an odd one is reported by itself:
 * the name of a process may contain anything.
 */
const findNul = (text: string) => (text.includes('\0') ? { pointer: '', detail: NUL_IN_TEXT } : null);

/**
 * Converts a text from a URL or header to the integer or boolean that the schema asks for. Returns every other value
 * unchanged. Each value has exactly one spelling. Ajv's own conversion would accept all those of JavaScript, such as
 * 0xc1c, 3.1e3 and ' 3100'.
 */
function readText(type: unknown, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (type === 'integer' && /^(0|-?[1-9]\d*)$/.test(value)) return Number(value);
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  return value;
}

/**
 * A lenient decoder would put replacement characters into what is stored.
 * @throws AppError if the bytes are not UTF-8
 */
export function decodeUtf8(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw NOT_UTF8;
  }
}
