import { Type } from '@sinclair/typebox';
import { findClosest } from '../../input/closest.js';
import { findVariableConflicts, toVariableName } from '../../input/variable-names.js';
import { spaceOf } from '../../keys.js';
import { listAllocations } from '../../registry/allocations.js';
import type { Session } from '../../registry/session.js';
import { listEnvironments as findEnvironments } from '../../repositories/environments.js';
import { ServiceName } from '../../schemas/common.js';
import type { Environment } from '../../schemas/environment.js';
import { answerPage, identify, tellLines, tellSpace, tellWarnings } from '../answers.js';
import { findEnvironment, findPlace, findProject, type Place } from '../folder.js';
import { getPorts } from '../get-ports.js';
import {
  brief,
  CLOSED,
  CreateProject,
  environmentField,
  invalidInput,
  omitUndefined,
  PlaceFields,
  ProjectFields,
  ShortPage,
  Space,
  TOOL_PAGE_BYTES,
} from '../inputs.js';
import { defineTool, ENSURES, READS, REMOVES } from '../tool.js';

const MAX_SERVICES = 1000;
/** How many environments a refusal looks through for one with a similar name. */
const MAX_COMPARED = 1000;
const MAX_SUGGESTIONS = 3;
const MAX_TOLD = 25;

export const getEnvironmentPorts = defineTool({
  name: 'get-environment-ports',
  description:
    'The ports of a whole stack at once, all or none, such as for a compose file. Each is the one that get-port ' +
    'answers. With the lines for a .env file.',
  operations: ['allocateEnvironment'],
  input: Type.Object(
    {
      services: Type.Optional(
        Type.Array(brief(ServiceName), {
          minItems: 1,
          maxItems: MAX_SERVICES,
          description: 'Such as web, api. Else those of the ports.yaml in cwd.',
        }),
      ),
      ...PlaceFields,
      ...Space,
      createProject: CreateProject,
    },
    CLOSED,
  ),
  annotations: ENSURES,
  repeatable: 'always',
  async execute(context, { services, host, protocol, createProject, ...given }) {
    const place = await findPlace(given, context.readFolder, { services: services === undefined });
    const names = services ?? place.services;
    if (names === null || names.length === 0) {
      throw invalidInput({
        pointer: '/services',
        detail:
          'is required, because no ports.yaml was found that names them, or it names more than go along with a call',
      });
    }
    const wanted = { services: names, pointer: '/services', host, protocol, createProject };
    const { environment, items } = await getPorts(context, place, wanted);
    const head = `${place.project} (environment ${environment})${tellSpace(spaceOf({ host, protocol }))}:`;
    const conflicts = findVariableConflicts(items.map(({ service }) => service));
    const dotenv = items.map(({ service, port }) => `${toVariableName(service)}=${port}`);
    const isDotenv = conflicts.length === 0;
    const named = items.map(({ service, port }) => `${service}: ${port}`);
    const lines = isDotenv ? dotenv : [...named, `No lines for a .env file: ${conflicts.join(', ')}.`];
    return {
      text: tellLines(head, lines, tellWarnings(items)),
      content: {
        project: place.project,
        environment,
        items: items.map(({ service, port, warnings }) => ({ service, port, ...(warnings && { warnings }) })),
        ...(isDotenv && { dotenv: dotenv.join('\n') }),
      },
    };
  },
});

export const releaseEnvironment = defineTool({
  name: 'release-environment',
  description:
    'Gives back all ports of an environment, when its branch or worktree is gone for good. If its folder is gone too, ' +
    'name the environment (that of a worktree has the name of its folder) beside project, or another folder as cwd.',
  operations: ['releaseEnvironment'],
  input: Type.Object(
    { ...PlaceFields, environment: environmentField('The copy of the stack. Else that of cwd.'), ...Space },
    CLOSED,
  ),
  annotations: REMOVES,
  repeatable: 'never',
  async execute({ session, readFolder }, { host, protocol, ...given }) {
    if (given.environment === undefined && given.cwd === undefined) {
      throw invalidInput({ pointer: '/environment', detail: 'is required, or cwd: nothing is released by default' });
    }
    const place = await findPlace(given, readFolder);
    const environment = await findEnvironment(session, place);
    const space = spaceOf({ host, protocol });
    const released = await session.execute(place.project, { kind: 'release-environment', environment, ...space });
    const of = `environment ${environment} of ${place.project}${tellSpace(space)}`;
    const ports = released.map(({ service, port }) => `${port} (${service})`).join(', ');
    const told = released.length > 0 ? `Released ${ports} of ${of}.` : `Nothing is held for ${of}.`;
    const left = { project: place.project, environment, limit: MAX_TOLD };
    // What was released is answered also if this look-up fails.
    const rest = await listAllocations(session, left).then(tellRest, () => '');
    const isUnknown = released.length === 0 && rest === '';
    const meant = isUnknown ? await findMeant(session, place, environment) : null;
    return {
      text: tellLines(`${told}${meant?.hint ?? ''}`, rest),
      content: { environment, items: released.map(identify), ...meant?.names },
    };
  },
});

/**
 * What was most likely meant by an environment that holds nothing: those with close names, or else all that hold ports,
 * because an agent may know a branch and not what its folder was called. It is not led to the main working tree, and one
 * that has given its folder not to the environment of another folder.
 */
async function findMeant(session: Session, { project, path }: Place, environment: string) {
  const { items } = await session.read(findEnvironments, project, { limit: MAX_COMPARED });
  const held = items
    .filter((one) => path === null || one.path === null || one.path === path)
    .map((one) => one.environment);
  const close = findClosest(environment, held, MAX_SUGGESTIONS);
  if (close.length > 0) return { hint: ` Close to it: ${close.join(', ')}.`, names: { close } };
  const others = held.filter((name) => name !== 'default').slice(0, MAX_TOLD);
  return others.length > 0 ? { hint: ` Ports are held for ${others.join(', ')}.`, names: { others } } : null;
}

/** What an environment holds on other hosts and protocols than those that were released. */
function tellRest({ items, nextCursor }: Awaited<ReturnType<typeof listAllocations>>): string {
  if (items.length === 0) return '';
  const ports = items
    .map(({ port, service, host, protocol }) => `${port} (${service}, ${protocol} on ${host})`)
    .join(', ');
  return `It still holds ${ports}${nextCursor === null ? '' : ' and more'}: call again with that protocol or host.`;
}

export const listEnvironments = defineTool({
  name: 'list-environments',
  description: 'The copies of a stack that hold ports: their folder, age and last use. To find abandoned ones.',
  operations: ['listEnvironments'],
  input: Type.Object({ ...ProjectFields, ...ShortPage }, CLOSED),
  annotations: READS,
  repeatable: 'always',
  async execute({ session, readFolder }, { limit, cursor, ...given }) {
    const project = await findProject(given, readFolder);
    const page = { ...omitUndefined({ limit, cursor }), maxBytes: TOOL_PAGE_BYTES };
    return answerPage(
      await session.read(findEnvironments, project, page),
      tellEnvironment,
      `${project} holds no port.`,
    );
  },
});

function tellEnvironment(summary: Environment): string {
  const { environment, allocatedPorts, path, lastUsedAt, firstAllocatedAt } = summary;
  const parts = [
    `${environment}: ${allocatedPorts} ports since ${firstAllocatedAt}`,
    lastUsedAt === null ? 'never seen listening' : `last seen listening ${lastUsedAt}`,
    path === null ? null : `in ${JSON.stringify(path)}`,
  ];
  return parts.filter((part) => part !== null).join(', ');
}
