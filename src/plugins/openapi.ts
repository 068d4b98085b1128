import SerializerSelector from '@fastify/fast-json-stringify-compiler';
import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { mediaTypes } from '../media-types.js';
import { components } from '../schemas/components.js';
import { registerDocs } from './docs.js';
import { type Document, makeDocument, sendDocument } from './documents.js';

export interface ContractOptions {
  version: string;
  /** Where clients reach the service: a URL or a path, '' for the root. */
  publicUrl: string;
}

type Schema = {
  $ref?: string;
  description?: string;
  default?: unknown;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: boolean;
};

type Operation = {
  security?: object[];
  parameters?: { in: string; name: string; required?: boolean; description?: string; schema: Schema }[];
  requestBody?: { required?: boolean; content: Record<string, { schema: Schema }> };
  responses: Record<string, { headers?: Record<string, object>; content?: object; description: string }>;
};

type Contract = { paths: Record<string, Record<string, Operation>>; components: { schemas: Record<string, Schema> } };

/** Generates the contract from the routes, and serves it as `/openapi.json`, `/openapi.yaml` and `/docs`. */
export async function registerOpenapi(app: FastifyInstance, { version, publicUrl }: ContractOptions): Promise<void> {
  for (const component of components) app.addSchema(component);
  registerSerializers(app);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Port Allocator',
        version,
        description:
          'Hands out ports from ranges that cannot overlap, and keeps them until they are released. ' +
          'Every refusal is a problem document (RFC 9457) with a stable `code`.',
        license: { name: 'MIT', identifier: 'MIT' },
        contact: { name: 'The operators of this registry' },
      },
      servers: [{ url: publicUrl === '' ? '/' : publicUrl }],
      tags: [
        { name: 'services', description: 'Get a port for a service: the main job.' },
        { name: 'environments', description: 'A whole stack at once.' },
        { name: 'allocations', description: 'Ports that are held, and the history of those that were.' },
        { name: 'reservations', description: 'Ports that are held for a while, to be claimed.' },
        { name: 'imports', description: 'Ports that were in use before the registry knew them.' },
        { name: 'projects', description: 'How full each project is.' },
        { name: 'ranges', description: 'Blocks of ports that belong to projects.' },
        { name: 'ports', description: 'Who owns a number.' },
        { name: 'audits', description: 'What is really listening.' },
        { name: 'events', description: 'What has happened, and who did it.' },
        { name: 'exports', description: 'What other programs read.' },
        { name: 'webhooks', description: 'URLs that get events.' },
        { name: 'cloudflare', description: 'A tunnel that follows the registry; for admins.' },
        { name: 'api-keys', description: 'Who may do what.' },
        { name: 'health', description: 'The service itself.' },
      ],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'A key; needed where ADMIN_API_KEY is set.' },
        },
      },
      security: [{ bearer: [] }],
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `def-${i}`) },
    transformObject(document) {
      const contract = 'openapiObject' in document ? document.openapiObject : document.swaggerObject;
      completeContract(contract as Contract);
      return contract;
    },
  });
  const json = shareDocument(() => makeDocument(mediaTypes.json, JSON.stringify(app.swagger())));
  const yaml = shareDocument(() => makeDocument(mediaTypes.yaml, app.swagger({ yaml: true })));
  await registerDocs(app, { json, yaml });
  app.get('/openapi.json', { schema: { hide: true }, config: { produces: [mediaTypes.json] } }, json);
  app.get('/openapi.yaml', { schema: { hide: true }, config: { produces: [mediaTypes.yaml] } }, yaml);
}

/** Returns a handler that sends a document, which is made for the first request and shared by all. */
function shareDocument(make: () => Document): (request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  let document: Document | undefined;
  return (request, reply) => {
    document ??= make();
    return sendDocument(request, reply, document);
  };
}

function completeContract({ paths, components }: Contract): void {
  for (const operation of Object.values(paths).flatMap((path) => Object.values(path))) completeOperation(operation);
  components.schemas = mapValues(components.schemas, withoutDefaults);
}

/** Adds to an operation what holds for all of them, so that the routes need not repeat it. */
function completeOperation(operation: Operation): void {
  operation.security ??= [{ bearer: [] }];
  // Whoever reads it sees first what has to be given.
  operation.parameters?.sort((a, b) => Number(b.required ?? false) - Number(a.required ?? false));
  for (const parameter of operation.parameters ?? []) {
    parameter.description ??= parameter.schema.description ?? '';
    if (parameter.in === 'path') parameter.schema = withoutDefaults(parameter.schema);
  }
  const body = operation.requestBody;
  if (body) {
    // No body equals `{}`, so a body is required only if its schema has required fields.
    const reference = Object.values(body.content)[0]?.schema.$ref?.split('/').at(-1);
    const component = components.find(({ $id }) => $id === reference);
    body.required = component !== undefined && 'required' in component;
  }
  for (const response of Object.values(operation.responses)) {
    response.headers = {
      'x-request-id': { description: 'Identifies the request in the logs.', schema: { type: 'string' } },
      ...response.headers,
    };
  }
}

/**
 * Removes the defaults from a schema; where it is sent, the description tells them instead. Generators would take a
 * property with a default for one that is always there: openapi-typescript requires it in a request too, and orval moves
 * a path parameter with a default to the end. Only query parameters keep theirs, as all generators leave these optional.
 *
 * The schemas of the routes keep all defaults: the validator fills them in before a request with an `Idempotency-Key` is
 * hashed, so that a retry which says `"protocol": "tcp"` is the same request as one that leaves it out.
 */
function withoutDefaults(schema: Schema): Schema {
  const isSent = schema.additionalProperties === false; // a test holds that requests are closed and answers are not
  const { default: _, ...rest } = schema;
  return {
    ...rest,
    ...(rest.items && { items: withoutDefaults(rest.items) }),
    ...(rest.properties && {
      properties: mapValues(rest.properties, ({ ...property }) => {
        if (isSent && property.default !== undefined) {
          property.description = `${property.description ?? ''} Left out: \`${property.default}\`.`.trimStart();
        }
        return withoutDefaults(property);
      }),
    }),
  };
}

function mapValues<T>(object: Record<string, T>, map: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]));
}

const compile = SerializerSelector()(Object.fromEntries(components.map((component) => [component.$id, component])));
/** Compiled serializers by the schema's JSON. All apps of a process share them. */
const serializers = new Map<string, ReturnType<typeof compile>>();

/**
 * Compiles each response schema once. Fastify would compile a schema again for every route and status that answers with
 * it. As every route can answer with a problem document, that took nine tenths of the time until an app was ready.
 */
function registerSerializers(app: FastifyInstance): void {
  app.setSerializerCompiler((route) => {
    const key = JSON.stringify(route.schema);
    const serialize = serializers.get(key) ?? compile({ httpStatus: '', ...route });
    serializers.set(key, serialize);
    return serialize;
  });
}
