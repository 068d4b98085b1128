import { Type } from '@sinclair/typebox';
import { keyOf } from '../../keys.js';
import { releaseAllocation, updateAllocation } from '../../registry/allocations.js';
import { AllocationDetails, CloudflareHostname, Description, ServiceType } from '../../schemas/allocation.js';
import { StringEnum } from '../../schemas/common.js';
import { identify, outline, tellHolder, tellLines, tellListed, tellWarnings } from '../answers.js';
import { findEnvironment, findPlace } from '../folder.js';
import {
  asJsonText,
  brief,
  CLOSED,
  IdOrService,
  type IdOrServiceInput,
  invalidInput,
  omitUndefined,
  readIdOrService,
} from '../inputs.js';
import { defineTool, REMOVES, type ToolContext } from '../tool.js';

/** The fields that describe a port. */
export const DESCRIPTIVE = ['serviceType', 'description', 'cloudflareHostname', 'metadata'] as const;

/** The id of one allocation, or the key of a service's ports. */
async function readTarget({ session, readFolder }: ToolContext, input: IdOrServiceInput) {
  const target = readIdOrService(input);
  if ('id' in target) return target;
  const place = await findPlace(input, readFolder);
  const environment = await findEnvironment(session, place);
  return { key: keyOf({ project: place.project, service: target.service }, { ...input, environment }) };
}

export const releasePort = defineTool({
  name: 'release-port',
  description:
    'Gives back every port of a service in one environment, or the one with an id: when the service is removed for ' +
    'good. One that merely stops keeps its port.',
  operations: ['releaseServicePorts', 'releaseAllocation'],
  input: Type.Object(IdOrService, CLOSED),
  annotations: REMOVES,
  repeatable: 'by-id',
  async execute(context, input) {
    const target = await readTarget(context, input);
    const { session } = context;
    const released =
      'id' in target
        ? [await releaseAllocation(session, target.id)]
        : await session.execute(target.key.project, { kind: 'release-service', key: target.key });
    const lines = released.map((one) => `Released ${one.port} of ${tellHolder(one)}.`);
    const nothing =
      'key' in target
        ? `Nothing was held for ${target.key.service} of ${target.key.project} (environment ${target.key.environment}). list-ports shows what is.`
        : '';
    return { text: tellLines(lines.length > 0 ? lines : nothing), content: { items: released.map(identify) } };
  },
});

export const updatePort = defineTool({
  name: 'update-port',
  description:
    'Notes what the ports of a service in one environment are, or the one with an id: type, description, public ' +
    'hostname, metadata. What is left out stays; clear removes. The number never changes.',
  operations: ['updateAllocation'],
  input: Type.Object(
    {
      ...IdOrService,
      serviceType: Type.Optional(brief(ServiceType, 'Such as http or grpc.')),
      description: Type.Optional(brief(Description)),
      cloudflareHostname: Type.Optional(brief(CloudflareHostname, 'Public hostname that leads to it.')),
      metadata: Type.Optional(
        asJsonText(AllocationDetails.properties.metadata, 'A JSON object; replaces the old one.'),
      ),
      clear: Type.Optional(Type.Array(StringEnum(DESCRIPTIVE))),
    },
    CLOSED,
  ),
  annotations: REMOVES,
  repeatable: 'never',
  async execute(context, { serviceType, description, cloudflareHostname, metadata, clear = [], ...input }) {
    const details = readDetails(omitUndefined({ serviceType, description, cloudflareHostname, metadata }), clear);
    const target = await readTarget(context, input);
    const { session } = context;
    const updated =
      'id' in target
        ? [await updateAllocation(session, target.id, details)]
        : await session.execute(target.key.project, { kind: 'update-service', key: target.key, details });
    return {
      text: tellLines(updated.map(tellListed), tellWarnings(updated)),
      content: { items: updated.map(outline) },
    };
  },
});

/** @throws AppError validation-failed for a field that is both given and cleared */
function readDetails(given: AllocationDetails, clear: readonly (keyof AllocationDetails)[]): AllocationDetails {
  const both = clear.find((name) => given[name] !== undefined);
  if (both !== undefined) throw invalidInput({ pointer: '/clear', detail: `has ${both}, which is given too` });
  return { ...given, ...Object.fromEntries(clear.map((name) => [name, null])) };
}
