import { type Static, Type } from '@sinclair/typebox';
import { AllocationOutline, allocationExample, withoutMetadata } from './allocation.js';
import {
  Count,
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
/** The most lines that an answer lists as passed over. Lines of connections can be many, and they say little. */
export const MAX_LISTED_PASSED_OVER = 1000;

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

export const importOutcomes = ['adopted', 'held', 'conflict', 'outside', 'invalid'] as const;
export type ImportOutcome = (typeof importOutcomes)[number];

const importedExample = {
  line: 2,
  port: 3100,
  host: 'localhost',
  outcome: 'adopted',
  detail: 'For consilio/api (environment default).',
  allocation: withoutMetadata(allocationExample),
};

const LineNumber = Type.Integer({
  minimum: 1,
  description: 'Which line of the text it is of, or which one of the items given, counted from 1.',
});

export const ImportedPort = Type.Object(
  {
    line: LineNumber,
    port: Nullable(PortNumber, { description: '`null` for a line that cannot be read.' }),
    host: Nullable(Host),
    outcome: StringEnum(importOutcomes, {
      description:
        '`adopted`: held from now on. `held`: it was already. `conflict`: kept for someone else, or another process ' +
        'listens on the same number. ' +
        '`outside`: no range covers it. `invalid`: a line that cannot be read.',
    }),
    detail: Type.String({ description: 'For people: by whom, why, what to do.' }),
    allocation: NullableRef(AllocationOutline),
  },
  { $id: 'ImportedPort', description: 'What became of one port.', examples: [importedExample] },
);
export type ImportedPort = Static<typeof ImportedPort>;

const passedOverExample = { line: 1, reason: 'Line 1 is the header.' };

export const PassedOverLine = Type.Object(
  { line: LineNumber, reason: Type.String({ description: 'For people: why it gives no item.' }) },
  { $id: 'PassedOverLine', description: 'A line of a text that gives no item.', examples: [passedOverExample] },
);
export type PassedOverLine = Static<typeof PassedOverLine>;

export const Import = Type.Object(
  {
    dryRun: Type.Boolean(),
    given: Count,
    counts: Type.Object(
      Object.fromEntries([...importOutcomes, 'passedOver'].map((name) => [name, Count])) as Record<
        ImportOutcome | 'passedOver',
        typeof Count
      >,
      { description: 'How many of those given came out in each way. They add up to `given`.' },
    ),
    items: Type.Array(Ref(ImportedPort), {
      description: 'In the order given. In a dry run the ids of what would be adopted are passing ones.',
    }),
    passedOver: Type.Array(Ref(PassedOverLine), {
      description: `Lines of a text that give no item. The first ${MAX_LISTED_PASSED_OVER}; \`counts\` has how many there are.`,
    }),
  },
  {
    $id: 'Import',
    description: 'What became of each item, or of each line of a text that is not blank.',
    examples: [
      {
        dryRun: false,
        given: 2,
        counts: { adopted: 1, held: 0, conflict: 0, outside: 0, invalid: 0, passedOver: 1 },
        items: [importedExample],
        passedOver: [passedOverExample],
      },
    ],
  },
);
export type Import = Static<typeof Import>;
