import type { IncomingHttpHeaders } from 'node:http';
import { Type } from '@sinclair/typebox';
import { errorCodes, type FastifyInstance, type FastifyReply } from 'fastify';
import { AppError, invalid, invalidField } from '../errors.js';
import { describeSyntaxError, findRepeatedName } from '../input/json.js';
import { createValidator, findUnstorable } from '../schemas/validation.js';

export const NOT_UTF8 = invalid('', 'The body is not UTF-8.');
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+ *(;|$)/; // RFC 6838, 4.2
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Parses and validates JSON bodies. Values are not converted, unknown fields not dropped, and no body equals `{}`. */
export function registerBodies(app: FastifyInstance): void {
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, bytes, done) => {
    const text = decodeUtf8(bytes as Buffer);
    if (text === null) return done(NOT_UTF8);
    if (text === '') return done(null, {});
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      return done(invalid('', describeSyntaxError(text)));
    }
    done(refuseRepeatedName(text, body), body);
  });
  // Any other media type. Only its end tells that a chunked body is empty.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, ({ headers }, bytes, done) => {
    if (bytes.length === 0) {
      delete headers['content-type'];
      return done(null, {});
    }
    done(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE());
  });
  // By default Fastify does not read the body of a GET or HEAD, and a request with one would not be refused.
  for (const method of ['GET', 'HEAD']) app.addHttpMethod(method, { hasBody: true, overrideExisting: true });
  // The media type of an empty body is ignored: `curl -d ''` sends `application/x-www-form-urlencoded`.
  app.addHook('onRequest', ({ headers }, reply, done) => {
    const { 'content-length': length = '0', 'transfer-encoding': transferEncoding } = headers;
    if (length === '0' && transferEncoding === undefined) {
      delete headers['content-type'];
      return done();
    }
    // Fastify would refuse a text that is no media type before the body has arrived, which may be empty.
    if (!MEDIA_TYPE.test(headers['content-type'] ?? '')) headers['content-type'] = 'application/octet-stream';
    done(refuseUnreadable(headers, reply));
  });
  app.addHook('preValidation', (request, _reply, done) => {
    const { schema, url = '' } = request.routeOptions;
    if (schema?.body === undefined) {
      const refused = url.startsWith('/v1/') && !isEmpty(request.body);
      return done(refused ? invalid('', 'This call takes no body.') : undefined);
    }
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

/** @returns null if no object in the body has a name twice */
export function refuseRepeatedName(text: string, body: unknown): AppError | null {
  const fault = findRepeatedName(text, body);
  return fault && invalidField(fault.pointer, fault.detail);
}

/**
 * The only check of a text body as a whole. Each line is checked when it is read, and an odd one is reported by itself:
 * the name of a process may contain anything.
 */
const findNul = (text: string) => (text.includes('\0') ? { pointer: '', detail: 'holds a control character' } : null);

/** JSON.stringify would be shorter, but a deeply nested body would overflow its stack. */
const isEmpty = (body: unknown) =>
  body === undefined ||
  (typeof body === 'object' && body !== null && !Array.isArray(body) && Object.keys(body).length === 0);

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

/** Returns null if the bytes are not UTF-8. A lenient decoder would put replacement characters into what is stored. */
export function decodeUtf8(bytes: Buffer): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}
