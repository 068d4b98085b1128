import { type Static, Type } from '@sinclair/typebox';
import { AllocationOutline, allocationExample, withoutMetadata } from './allocation.js';
import {
  EnvironmentName,
  Host,
  Nullable,
  NullableRef,
  PortNumber,
  Protocol,
  Ref,
  ServiceName,
  StringEnum,
} from './common.js';

/** The most items of one import, whether they come as JSON or are read from a text. */
export const MAX_IMPORT_ITEMS = 5000;

export const PortToImport = Type.Object(
  {
    port: PortNumber,
    service: Type.Optional(ServiceName),
    environment: Type.Optional(
      Type.String({
        pattern: EnvironmentName.pattern as string,
        description: 'Left out: `default` for what is adopted, any for what is held already.',
      }),
    ),
    host: Type.Optional(Host),
    protocol: Type.Optional(Protocol),
  },
  {
    $id: 'PortToImport',
    additionalProperties: false,
    description: 'A port that is in use already.',
    examples: [{ port: 3105, service: 'grafana' }],
  },
);

export const NewImport = Type.Object(
  { items: Type.Array(Ref(PortToImport), { minItems: 1, maxItems: MAX_IMPORT_ITEMS }) },
  {
    $id: 'NewImport',
    additionalProperties: false,
    description: 'Ports that are in use already.',
    examples: [{ items: [{ port: 3105, service: 'grafana' }] }],
  },
);
export type NewImport = Static<typeof NewImport>;

export const ImportQuery = Type.Object(
  { dryRun: Type.Optional(Type.Boolean({ default: false, description: 'Report, and change nothing.' })) },
  { additionalProperties: false },
);

const importedExample = {
  port: 3100,
  host: 'localhost',
  outcome: 'adopted',
  detail: 'For consilio/api (environment default).',
  allocation: withoutMetadata(allocationExample),
};

export const ImportedPort = Type.Object(
  {
    port: Nullable(PortNumber, { description: '`null` for a line that cannot be read.' }),
    host: Nullable(Host),
    outcome: StringEnum(['adopted', 'held', 'conflict', 'outside', 'invalid'], {
      description:
        '`adopted`: held from now on. `held`: it was already. `conflict`: kept for someone else. ' +
        '`outside`: no range covers it. `invalid`: a line that cannot be read.',
    }),
    detail: Type.String({ description: 'For people: by whom, why, what to do.' }),
    allocation: NullableRef(AllocationOutline),
  },
  { $id: 'ImportedPort', description: 'What became of one port.', examples: [importedExample] },
);
export type ImportedPort = Static<typeof ImportedPort>;

export const Import = Type.Object(
  {
    dryRun: Type.Boolean(),
    items: Type.Array(Ref(ImportedPort), {
      description: 'In the order given. In a dry run the ids of what would be adopted are passing ones.',
    }),
  },
  {
    $id: 'Import',
    description: 'What became of each port.',
    examples: [{ dryRun: false, items: [importedExample] }],
  },
);
export type Import = Static<typeof Import>;
