import { Type } from '@sinclair/typebox';
import { spaceOf } from '../../keys.js';
import { allocateEnvironment } from '../../registry/environments.js';
import { listEnvironments as findEnvironments } from '../../repositories/environments.js';
import { ChangedAllocations, withoutMetadata } from '../../schemas/allocation.js';
import { ProjectName, SpaceQuery } from '../../schemas/common.js';
import {
  EnvironmentOutline,
  EnvironmentPage,
  EnvironmentParams,
  EnvironmentServices,
} from '../../schemas/environment.js';
import { ShortPage, TOOL_PAGE_BYTES } from '../inputs.js';
import { defineTool, READS } from '../tool.js';

const CLOSED = { additionalProperties: false };
const Key = { ...EnvironmentParams.properties, ...SpaceQuery.properties };

export const getEnvironmentPorts = defineTool({
  name: 'get-environment-ports',
  title: 'Get the ports of a whole stack',
  description:
    'Gets or allocates the port of every service of a stack at once, all of them or none: use it for a second copy of ' +
    'a stack, such as a branch or a worktree, with a name of its own as `environment`. Answers in the order given, and ' +
    'the same again when called again. For one service use get-port.',
  operations: ['allocateEnvironment'],
  input: Type.Object({ ...Key, services: EnvironmentServices.properties.services }, CLOSED),
  output: EnvironmentOutline,
  // Destructive for the same reason as get-port.
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  repeatable: 'always',
  async execute({ session, listenerWarnings }, { project, environment, host, protocol, services }) {
    const key = { project, environment, ...spaceOf({ host, protocol }) };
    const { outlines } = await allocateEnvironment(session, key, { services });
    return { items: await listenerWarnings.addToAll(session, outlines) };
  },
});

export const releaseEnvironment = defineTool({
  name: 'release-environment',
  title: 'Release the ports of a whole stack',
  description:
    'Gives back every port that an environment of a project holds on one host and protocol, and says which: use it ' +
    'when a branch or a worktree is gone for good. Safe to repeat; empty `items` means nothing was held.',
  operations: ['releaseEnvironment'],
  input: Type.Object(Key, CLOSED),
  output: ChangedAllocations,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  repeatable: 'by-id',
  async execute({ session }, { project, environment, host, protocol }) {
    const command = { kind: 'release-environment' as const, environment, ...spaceOf({ host, protocol }) };
    return { items: (await session.execute(project, command)).map(withoutMetadata) };
  },
});

export const listEnvironments = defineTool({
  name: 'list-environments',
  title: 'List the environments of a project',
  description:
    'Which copies of its stack a project holds ports for, how many, how old they are and when they were last found ' +
    'running: use it to find abandoned ones before release-environment. Shows 25 unless `limit` says otherwise; where ' +
    '`nextCursor` is not null there are more: call again with it as `cursor`.',
  operations: ['listEnvironments'],
  input: Type.Object({ project: ProjectName, ...ShortPage }, CLOSED),
  output: EnvironmentPage,
  annotations: READS,
  repeatable: 'always',
  execute: ({ session }, { project, ...page }) =>
    session.read(findEnvironments, project, { ...page, maxBytes: TOOL_PAGE_BYTES }),
});
