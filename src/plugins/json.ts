import SerializerSelector from '@fastify/fast-json-stringify-compiler';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { invalid, invalidField } from '../errors.js';
import { components } from '../schemas/components.js';
import { createValidator, findUnstorable } from '../schemas/validation.js';

export const BODY_LIMIT_BYTES = 1024 * 1024;
export const NOT_UTF8 = invalid('', 'The body is not UTF-8.');
const utf8 = new TextDecoder('utf-8', { fatal: true });

const compile = SerializerSelector()(Object.fromEntries(components.map((component) => [component.$id, component])));
/** By the schema as JSON; shared by all apps of a process. */
const compiled = new Map<string, ReturnType<typeof compile>>();

/** JSON bodies, taken as they are: nothing coerced, nothing dropped, and a missing one equals `{}`. */
export function registerBodies(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('ignore', 'ignore'); // `findUnstorable` refuses prototypes, for MCP too
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    const text = decodeUtf8(bytes as Buffer);
    if (text === null) return done(NOT_UTF8);
    if (text === '') return done(null, {});
    return parseJson(request, text, done);
  });
  // Fastify would leave their bodies unread, and what they ask for unrefused.
  for (const method of ['GET', 'HEAD']) app.addHttpMethod(method, { hasBody: true, overrideExisting: true });
  // A body of no bytes is of no media type: `curl -d ''` names one all the same.
  app.addHook('onRequest', ({ headers }, _reply, done) => {
    const { 'content-length': length = '0', 'transfer-encoding': transferEncoding } = headers;
    if (length === '0' && transferEncoding === undefined) delete headers['content-type'];
    done();
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

  // A route that takes no query says so by leaving it out: Fastify would let any pass.
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

/**
 * Compiles each response schema once. Fastify would compile it again for every route and status that answers with it,
 * and every route can answer with a problem document: that took nine tenths of the time until an app was ready.
 */
export function registerSerializers(app: FastifyInstance): void {
  app.setSerializerCompiler((route) => {
    const key = JSON.stringify(route.schema);
    const serialize = compiled.get(key) ?? compile({ httpStatus: '', ...route });
    compiled.set(key, serialize);
    return serialize;
  });
}

/** A text is read line by line, and what else is odd in it is told of its line: a process may have any name. */
const findNul = (text: string) => (text.includes('\0') ? { pointer: '', detail: 'holds a control character' } : null);

/** Not by way of JSON.stringify, which a body nested deeply enough would overflow. */
const isEmpty = (body: unknown) =>
  body === undefined ||
  (typeof body === 'object' && body !== null && !Array.isArray(body) && Object.keys(body).length === 0);

/**
 * The integer or boolean that a URL's text stands for; whatever else it is, as it is. One spelling for each
 * value: Ajv's own coercion takes any that JavaScript has, as 0xc1c, 3.1e3 and ' 3100'.
 */
function readText(type: unknown, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (type === 'integer' && /^(0|-?[1-9]\d*)$/.test(value)) return Number(value);
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  return value;
}

/** Null for what is not UTF-8: to decode it loosely would store replacement characters. */
export function decodeUtf8(bytes: Buffer): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}
