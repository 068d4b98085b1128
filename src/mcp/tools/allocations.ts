import { Type } from '@sinclair/typebox';
import { toSlug } from '../../input/slug.js';
import { allocate, listAllocations } from '../../registry/allocations.js';
import { requireRange } from '../../repositories/ranges.js';
import { type Allocation, AllocationQuery, NewAllocation } from '../../schemas/allocation.js';
import { ReservationParams } from '../../schemas/reservation.js';
import { answerPage, identify, outline, tellHolder, tellLines, tellListed, tellWarnings } from '../answers.js';
import { findEnvironment, findPlace, requireServices } from '../folder.js';
import { getPorts } from '../get-ports.js';
import {
  brief,
  CLOSED,
  CreateProject,
  environmentField,
  HostToFind,
  invalidInput,
  omitUndefined,
  PlaceFields,
  ShortPage,
  Space,
  TOOL_PAGE_BYTES,
  withoutDefault,
} from '../inputs.js';
import { ADDS, defineTool, ENSURES, idempotencyOf, READS } from '../tool.js';
import { claimFor } from './reservations.js';

const Service = brief(NewAllocation.properties.service);
const NamedService = brief(NewAllocation.properties.service, 'What the port is for, such as web or api.');

export const getPort = defineTool({
  name: 'get-port',
  description:
    'The port of one service, to be called before you start it or write its configuration: the one it holds, or else ' +
    'the lowest free one, which it keeps until it is released. Ask again at any time for the same answer.',
  operations: ['getOrAllocatePort'],
  input: Type.Object({ service: NamedService, ...PlaceFields, ...Space, createProject: CreateProject }, CLOSED),
  output: Type.Object({ port: Type.Integer() }),
  annotations: ENSURES,
  repeatable: 'always',
  async execute(context, { service, host, protocol, createProject, ...given }) {
    const place = await findPlace(given, context.readFolder);
    const wanted = { services: [service], pointer: '/service', host, protocol, createProject };
    const [allocation] = (await getPorts(context, place, wanted)).items;
    if (allocation === undefined) throw new Error('an environment answers every service that was asked for');
    const text = tellLines(`${tellHolder(allocation)}: ${allocation.port}`, tellWarnings([allocation]));
    return { text, content: identify(allocation) };
  },
});

export const allocatePort = defineTool({
  name: 'allocate-port',
  description:
    'A further port for a service that has one, such as for metrics; one particular number (port, or prefer if another ' +
    'will do); or one number for TCP and UDP (protocol both). Each call takes another port: use get-port for the first.',
  operations: ['allocatePort', 'claimReservation'],
  input: Type.Object(
    {
      service: Service,
      ...PlaceFields,
      host: Space.host,
      protocol: Type.Optional(
        withoutDefault(brief(Type.Unsafe<'tcp' | 'udp' | 'both'>(NewAllocation.properties.protocol))),
      ),
      port: Type.Optional(brief(NewAllocation.properties.port)),
      prefer: Type.Optional(brief(NewAllocation.properties.prefer)),
      reservationId: Type.Optional(brief(ReservationParams.properties.id, 'Takes the number that reserve-port held.')),
    },
    CLOSED,
  ),
  annotations: ADDS,
  repeatable: 'with-key',
  async execute({ session, listenerWarnings, firstRange, readFolder }, input, call) {
    const { service, host, protocol, port, prefer, reservationId, ...given } = input;
    const place = await findPlace(given, readFolder);
    requireServices(place, [service], '/service');
    const environment = await findEnvironment(session, place);
    if (reservationId !== undefined) {
      const other = Object.entries({ host, protocol, port, prefer }).find(([, value]) => value !== undefined);
      if (other) throw invalidInput({ pointer: `/${other[0]}`, detail: 'cannot be given beside reservationId' });
      return claimFor(session, place.project, reservationId, { service, environment });
    }
    const wanted = omitUndefined({ service, environment, host, protocol, port, prefer }) as NewAllocation;
    const mayCreate = !place.isProjectNamed;
    const { allocated, replayed } = await allocate(
      session,
      place.project,
      wanted,
      idempotencyOf(call, input),
      mayCreate ? firstRange : undefined,
    );
    const answered = await listenerWarnings.addToNew(session, allocated, replayed ? undefined : port);
    const items = 'items' in answered ? answered.items : [answered];
    const first = items[0] as Allocation;
    const isOther = prefer !== undefined && first.port !== prefer;
    const numbers = items.length > 1 ? `${first.port} for TCP and UDP` : `${first.port}`;
    const holder = tellHolder(first);
    const content = { ...identify(first), ...(items[1] && { udp: { id: items[1].id } }) };
    return {
      text: tellLines(
        `${holder}: ${numbers}`,
        isOther ? `${prefer} could not be had: it is taken, or not usable.` : '',
        `id: ${items.map(({ id }) => id).join(', ')}`,
        tellWarnings(items),
      ),
      content,
    };
  },
});

export const listPorts = defineTool({
  name: 'list-ports',
  description:
    'Looks up who holds which port, and allocates nothing: "which port has the api of odin?" is service api, project ' +
    'odin. For one number use describe-port.',
  operations: ['listAllocations', 'getServicePort'],
  input: Type.Object(
    {
      service: Type.Optional(Service),
      ...PlaceFields,
      environment: environmentField('Else that of cwd, or all.'),
      host: HostToFind,
      protocol: Space.protocol,
      status: Type.Optional(
        brief(AllocationQuery.properties.status, 'in_use: seen listening. Else all that are held.'),
      ),
      cloudflareHostname: Type.Optional(brief(AllocationQuery.properties.cloudflareHostname, 'Public hostname.')),
      ...ShortPage,
    },
    CLOSED,
  ),
  annotations: READS,
  repeatable: 'always',
  async execute({ session, readFolder }, { project, environment, cwd, ...filters }) {
    const place = cwd === undefined ? null : await findPlace({ project, environment, cwd }, readFolder);
    // A folder of another project does not say which environment of the named one is meant.
    const isAnywhere = place?.isElsewhere && environment === undefined;
    const query = omitUndefined({
      ...filters,
      project: place?.project ?? project,
      environment: place && !isAnywhere ? await findEnvironment(session, place) : environment && toSlug(environment),
    });
    const page = await listAllocations(session, { ...query, maxBytes: TOOL_PAGE_BYTES });
    // Of a project that is not there nothing is listed either, and its name may be misspelt.
    if (page.items.length === 0 && query.project !== undefined) await session.read(requireRange, query.project);
    return answerPage(page, tellListed, tellNothing(filters.service !== undefined), outline);
  },
});

/** A service is often called otherwise than an agent thinks. */
const tellNothing = (isOfService: boolean): string =>
  `No such port is held.${isOfService ? ' Leave service out to see which services hold one.' : ''}`;
