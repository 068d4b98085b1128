import { Type } from '@sinclair/typebox';
import { RUNNING_VARIABLES } from '../src/detection/manifest/running-variables.js';
import { NAME_PATTERN } from '../src/input/slug.js';
import { CloudflareHostname, Description, ServiceType } from '../src/schemas/allocation.js';
import { OneLine, ProjectName } from '../src/schemas/common.js';

const Compose = Type.Object(
  {
    service: OneLine(255, 'The name of the service in the compose file.', ['postgres']),
    target: Type.Integer({ minimum: 1, maximum: 65535, description: 'The port in the container.', examples: [5432] }),
  },
  { additionalProperties: false, description: 'What `--format compose` maps the port to.' },
);

const { 'x-canonical': _, ...Hostname } = CloudflareHostname;

const Service = Type.Object(
  {
    serviceType: Type.Optional(ServiceType),
    description: Type.Optional(Description),
    cloudflareHostname: Type.Optional(Type.String(Hostname)),
    compose: Type.Optional(Compose),
  },
  { additionalProperties: false },
);

/** Braces that are written twice stand for themselves. That a service is one of the file is not said here. */
const PLACEHOLDER = `project|environment|${NAME_PATTERN.slice(1, -1)}\\.(port|url)`;
const ONE_LINE = '[^{}\\u0000-\\u001f\\u007f-\\u009f]';

const Variable = Type.Unsafe({
  type: ['string', 'number', 'boolean'],
  pattern: `^(${ONE_LINE}|\\{\\{|\\}\\}|\\{(${PLACEHOLDER})\\})*$`,
  description:
    'May have {project}, {environment}, and {SERVICE.port} and {SERVICE.url} of a service of this file. A brace that is ' +
    'meant as such is written twice.',
  examples: ['http://localhost:{api.port}'],
});

/**
 * The schema of `ports.yaml`, for editors. The file is checked by `src/detection/manifest/check.ts`, which knows lines and
 * loads faster; a test holds both together.
 */
export const ManifestSchema = Type.Object(
  {
    project: Type.Optional(ProjectName),
    services: Type.Optional(
      Type.Unsafe({
        type: ['object', 'null'],
        maxProperties: 1000,
        propertyNames: { pattern: NAME_PATTERN.replace('[a-z0-9]', '[a-z]') },
        additionalProperties: { ...Service, type: ['object', 'null'] },
        description: 'The services that need a port, by name: what `WEB_PORT` is called after, for example.',
        examples: [{ web: {}, api: { serviceType: 'http' }, db: { compose: { service: 'postgres', target: 5432 } } }],
      }),
    ),
    env: Type.Optional(
      Type.Unsafe({
        type: ['object', 'null'],
        propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]*$', not: { pattern: RUNNING_VARIABLES } },
        additionalProperties: Variable,
        description: 'Variables besides those of the ports.',
        examples: [{ API_URL: 'http://localhost:{api.port}' }],
      }),
    ),
  },
  {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'ports.yaml',
    description: 'Which services of a project need a port. Names and no numbers.',
    additionalProperties: false,
  },
);
