import { type Static, Type } from '@sinclair/typebox';
import { exportFormats } from '../input/export-formats.js';
import { EnvironmentName, HostFilter, ProjectName, StringEnum } from './common.js';

export const ExportParams = Type.Object({
  format: StringEnum(exportFormats, {
    description: 'Whom it is for: dotenv, cloudflared, prometheus, traefik, consul.',
  }),
});

export const ExportQuery = Type.Object(
  {
    project: Type.Optional(ProjectName),
    // Not EnvironmentName itself, whose default would leave out all environments but one.
    environment: Type.Optional(
      Type.String({ pattern: EnvironmentName.pattern as string, description: 'Those of one environment.' }),
    ),
    host: Type.Optional(Type.String({ ...HostFilter, description: 'Those on one host, in any of its spellings.' })),
  },
  { additionalProperties: false },
);
export type ExportQuery = Static<typeof ExportQuery>;

/** Each format belongs to another program, whose manual describes it. docs/exports.md has the links. */
export const ExportDocument = Type.Unsafe<unknown>({
  $id: 'ExportDocument',
  description:
    'What the program reads: a list of target groups for Prometheus, an object for Traefik and Consul; as their manuals describe it.',
  type: ['array', 'object'],
  items: { type: 'object', additionalProperties: true },
  additionalProperties: true, // without this, openapi-typescript takes the object for an empty one
  examples: [
    [
      {
        targets: ['localhost:3100'],
        labels: { project: 'consilio', service: 'api', environment: 'default' },
      },
    ],
  ],
});
