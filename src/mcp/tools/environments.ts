import { Type } from '@sinclair/typebox';
import { findClosest } from '../../input/closest.js';
import { findVariableConflicts, toVariableName } from '../../input/variable-names.js';
import { spaceOf } from '../../keys.js';
import { listAllocations } from '../../registry/allocations.js';
import { allocateEnvironment } from '../../registry/environments.js';
import type { Session } from '../../registry/session.js';
import { listEnvironments as findEnvironments } from '../../repositories/environments.js';
import { ServiceName } from '../../schemas/common.js';
import { identify, present, tellLines, tellSpace, tellWarnings } from '../answers.js';
import { findEnvironment, findPlace, inPlace } from '../folder.js';
import {
  brief,
  CreateProject,
  defined,
  invalidInput,
  Place,
  ProjectPlace,
  ShortPage,
  Space,
  TOOL_PAGE_BYTES,
} from '../inputs.js';
import { defineTool, ENSURES, READS, REMOVES } from '../tool.js';

const CLOSED = { additionalProperties: false };
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
      ...Place,
      ...Space,
      createProject: CreateProject,
    },
    CLOSED,
  ),
  annotations: ENSURES,
  repeatable: 'always',
  async execute({ session, listenerWarnings, firstRange, readFolder }, { services, host, protocol, ...given }) {
    const place = await findPlace(given, readFolder);
    const names = services ?? place.services;
    if (names === null || names.length === 0) {
      throw invalidInput({
        pointer: '/services',
        detail:
          'is required, because no ports.yaml was found that names them, or it names more than go along with a call',
      });
    }
    const mayCreate = !place.isProjectNamed || given.createProject === true;
    const space = spaceOf({ host, protocol });
    const { environment, answer } = await inPlace(session, place, (name, path) =>
      allocateEnvironment(
        session,
        { project: place.project, environment: name, ...space },
        { services: names.map((service) => ({ service })), ...(path !== undefined && { path }) },
        mayCreate ? firstRange : undefined,
      ),
    );
    const items = await listenerWarnings.addToAll(session, answer.outlines);
    const head = `${place.project} (environment ${environment})${tellSpace(space)}:`;
    const dotenv = toDotenv(items);
    const lines = dotenv ?? items.map(({ service, port }) => `${service}: ${port}`);
    return {
      text: tellLines(head, lines, tellWarnings(items)),
      content: {
        project: place.project,
        environment,
        items: items.map(({ service, port, warnings }) => ({ service, port, ...(warnings && { warnings }) })),
        ...(dotenv && { dotenv: dotenv.join('\n') }),
      },
    };
  },
});

/** A line such as `WEB_PORT=3100` for each. Null where two names make the same variable, or one makes none. */
function toDotenv(items: { service: string; port: number }[]): string[] | null {
  if (findVariableConflicts(items.map(({ service }) => service)).length > 0) return null;
  return items.map(({ service, port }) => `${toVariableName(service)}=${port}`);
}

export const releaseEnvironment = defineTool({
  name: 'release-environment',
  description:
    'Gives back all ports of an environment, when its branch or worktree is gone for good. If its folder is gone too, ' +
    'name the environment, and give project or another folder of the project as cwd.',
  operations: ['releaseEnvironment'],
  input: Type.Object({ ...Place, ...Space }, CLOSED),
  annotations: REMOVES,
  repeatable: 'by-id',
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
    const close = isUnknown ? await findClose(session, place.project, environment) : [];
    const hint = close.length > 0 ? ` Close to it: ${close.join(', ')}.` : '';
    return {
      text: tellLines(`${told}${hint}`, rest),
      content: { environment, items: released.map(identify), ...(close.length > 0 && { close }) },
    };
  },
});

/** The environments of a project whose names are close to one that holds nothing. */
async function findClose(session: Session, project: string, environment: string): Promise<string[]> {
  const { items } = await session.read(findEnvironments, project, { limit: MAX_COMPARED });
  const names = items.map((one) => one.environment);
  return findClosest(environment, names, MAX_SUGGESTIONS);
}

/** What an environment holds on other hosts and protocols than those that were released. */
function tellRest({ items, nextCursor }: Awaited<ReturnType<typeof listAllocations>>): string {
  if (items.length === 0) return '';
  const ports = items.map((one) => `${one.port} (${one.service}${tellSpace(one)})`).join(', ');
  return `Still held there: ${ports}${nextCursor === null ? '' : ' and more'}. Call again with that protocol or host.`;
}

export const listEnvironments = defineTool({
  name: 'list-environments',
  description: 'The copies of a stack that hold ports: their folder, age and last use. To find abandoned ones.',
  operations: ['listEnvironments'],
  input: Type.Object({ ...ProjectPlace, ...ShortPage }, CLOSED),
  annotations: READS,
  repeatable: 'always',
  async execute({ session, readFolder }, { limit, cursor, ...given }) {
    const { project } = await findPlace(given, readFolder);
    const page = { ...defined({ limit, cursor }), maxBytes: TOOL_PAGE_BYTES };
    const { items, nextCursor } = await session.read(findEnvironments, project, page);
    const lines = items.map(({ environment, allocatedPorts, path, lastUsedAt, firstAllocatedAt }) =>
      [
        `${environment}: ${allocatedPorts} ports since ${firstAllocatedAt}`,
        lastUsedAt === null ? 'never seen listening' : `last seen listening ${lastUsedAt}`,
        path === null ? null : `in ${JSON.stringify(path)}`,
      ]
        .filter((part) => part !== null)
        .join(', '),
    );
    const more = nextCursor === null ? '' : `There are more: call again with cursor ${nextCursor}`;
    const content = { items: items.map(present), ...(nextCursor !== null && { nextCursor }) };
    return { text: items.length === 0 ? `${project} holds no port.` : tellLines(lines, more), content };
  },
});
