// Generates requests from the contract. Half of them are valid as far as its schemas say. The others break it in one
// place or in several.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc, { type Arbitrary } from 'fast-check';
import { packageRoot } from '../../src/package-root.js';

interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: string[];
  pattern?: string;
  format?: string;
  minimum?: number;
  maximum?: number;
  maxItems?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
}
interface Operation {
  operationId: string;
  parameters?: { in: 'path' | 'query' | 'header'; name: string; schema: Schema; required?: boolean }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}

export interface FuzzedRequest {
  operationId: string;
  method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  body: unknown;
}

const contract = JSON.parse(readFileSync(join(packageRoot, 'openapi', 'openapi.json'), 'utf8')) as {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
};

/** Values that have broken other services: edge cases, control characters, lone surrogates, prototypes, injections. */
const ODD = [
  ...[
    '',
    ' ',
    '.',
    '..',
    'a\0b',
    '\u{1f4a9}',
    '\ud800',
    '%00',
    '__proto__',
    'constructor',
    "'; drop table port_ranges--",
  ],
  ...['a'.repeat(64), 'x'.repeat(3000), '١٢٣', 'NaN', '-0', '1e3', '0x1f', '2026-13-45T99:99:99Z', '::1%lo', '[::1]'],
  ...['00000000-0000-0000-0000-000000000000', '127.1', '*', 'localhost.', 'A'],
] as const;
const odd: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(...ODD),
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 65_536, 2 ** 31, 2 ** 53, 1e308, [], {}, [[]], { a: null }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.jsonValue({ maxDepth: 4 }),
);

/**
 * Values that exist in the registry, so that requests get beyond validation. They are listed by the name of the field,
 * and ids by the collection in the path.
 */
export type KnownValues = Record<string, readonly unknown[]>;

interface Making {
  known: KnownValues;
  /** Whether some values break the contract. */
  breaking: boolean;
}

/**
 * Generates one request of any operation, more often of a POST or PUT.
 * @param known its lists are read whenever a value is generated, so they may grow during a run
 */
export function requests(known: KnownValues): Arbitrary<FuzzedRequest> {
  const all = Object.entries(contract.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, operation]) =>
      [true, false].map((breaking) => ({
        weight: method === 'post' || method === 'put' ? 3 : 1,
        arbitrary: requestOf(path, method, operation, { known, breaking }),
      })),
    ),
  );
  return fc.oneof(...all);
}

export const operationIds = Object.values(contract.paths)
  .flatMap(Object.values)
  .map(({ operationId }) => operationId as string);

function requestOf(path: string, method: string, operation: Operation, making: Making): Arbitrary<FuzzedRequest> {
  const collection = path.split('/')[2] as string;
  const valuesIn = (place: string, presence: number) => {
    const parameters = (operation.parameters ?? []).filter((parameter) => parameter.in === place);
    const value = (name: string, schema: Schema) =>
      fc.option(anyValue(schema, name, making), { freq: presence, nil: undefined });
    const named = parameters.map(({ name, schema }) => [name, value(name === 'id' ? collection : name, schema)]);
    return fc.record<Record<string, unknown>>(Object.fromEntries(named));
  };
  return fc
    .record({
      path: valuesIn('path', 1000),
      query: valuesIn('query', 1),
      header: valuesIn('header', 1),
      stray: fc.option(fc.tuple(fc.string({ maxLength: 8 }), odd), { freq: 1, nil: undefined }),
      body: bodyOf(operation, making),
    })
    .map(({ path: named, query, header, stray, body }) => {
      const search = new URLSearchParams();
      for (const [name, value] of Object.entries(query)) if (value !== undefined) search.append(name, textOf(value));
      if (stray && stray[0].length > 6) search.append(stray[0], textOf(stray[1]));
      const given = { ...named } as Record<string, unknown>;
      const filled = path.replace(/\{(\w+)\}/g, (_, name) =>
        encodeURIComponent(textOf(given[name] ?? 'x').toWellFormed()),
      );
      const headers = Object.entries(header).filter(([, value]) => typeof value === 'string' && /^[ -~]+$/.test(value));
      return {
        operationId: operation.operationId,
        method: method.toUpperCase() as FuzzedRequest['method'],
        url: search.size > 0 ? `${filled}?${search}` : filled,
        headers: { ...(Object.fromEntries(headers) as Record<string, string>), ...body.headers },
        body: body.payload,
      };
    });
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

function bodyOf(
  operation: Operation,
  making: Making,
): Arbitrary<{ headers: Record<string, string>; payload?: unknown }> {
  const json = operation.requestBody?.content['application/json']?.schema;
  const sent = (type: string) => (payload: unknown) => ({ headers: { 'content-type': type }, payload });
  const none = fc.constant({ headers: {} });
  if (!making.breaking && !json) return none;
  if (!json) return fc.oneof({ weight: 9, arbitrary: none }, odd.map(textOf).map(sent('application/json')));
  const fits = anyValue(json, '', making).map((value) => sent('application/json')(JSON.stringify(value)));
  if (!making.breaking) return fits;
  return fc.oneof(
    { weight: 12, arbitrary: fits },
    { weight: 2, arbitrary: none },
    odd.map((value) => JSON.stringify(value)).map(sent('application/json')),
    fc.string({ maxLength: 30 }).map(sent('application/json')),
    fc.string({ maxLength: 30 }).map(sent('text/plain')),
    fc.string({ maxLength: 5 }).map(sent('application/xml')),
  );
}

/** A value that fits the schema. If requests may break the contract, one value in thirteen does not fit. */
function anyValue(schema: Schema, name: string, making: Making): Arbitrary<unknown> {
  const fits = fitting(schema, name, making);
  return making.breaking ? fc.oneof({ weight: 12, arbitrary: fits }, odd) : fits;
}

function fitting(schema: Schema, name: string, making: Making): Arbitrary<unknown> {
  if (schema.$ref)
    return fitting(contract.components.schemas[schema.$ref.split('/').at(-1) as string] ?? {}, name, making);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((each) => fitting(each, name, making)));
  const values = making.known[name];
  // The newest ids, because some of these are still held or active.
  if (values) return fc.nat({ max: 4 }).map((n) => values.at(-1 - (n % values.length)) ?? 'none');
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const [type, nullable] = Array.isArray(schema.type) ? [schema.type[0], true] : [schema.type, false];
  const value = ofType(type, schema, name, making);
  return nullable ? fc.option(value) : value;
}

function ofType(type: string | undefined, schema: Schema, name: string, making: Making): Arbitrary<unknown> {
  switch (type) {
    case 'integer':
      return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 100_000 });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(anyValue(schema.items ?? {}, '', making), { maxLength: Math.min(schema.maxItems ?? 4, 4) });
    case 'object': {
      const fields = Object.entries(schema.properties ?? {}).map(([field, each]) => [
        field,
        anyValue(each, field, making),
      ]);
      const record = fc.record<Record<string, unknown>>(Object.fromEntries(fields), {
        requiredKeys: schema.required ?? [],
      });
      return fields.length === 0
        ? fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 })
        : record;
    }
    default: {
      if (schema.format === 'uuid') return fc.uuid();
      if (schema.format === 'date-time') return fc.constantFrom('2099-01-31T12:00:00Z', '2001-01-31T12:00:00+01:00');
      const names = [
        'api',
        'web',
        'db',
        `${name.toLowerCase() || 'value'}-1`,
        'feature.x',
        'api.example.com',
        '/srv/a',
      ];
      const pattern = new RegExp(schema.pattern ?? '', 'u');
      return fc.constantFrom(...names.filter((each) => pattern.test(each)));
    }
  }
}
