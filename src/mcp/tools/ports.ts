import { Type } from '@sinclair/typebox';
import { spaceOf } from '../../keys.js';
import { tellListener } from '../../machine/listener.js';
import { PortNumber } from '../../schemas/common.js';
import type { Port } from '../../schemas/port.js';
import type { Reservation } from '../../schemas/reservation.js';
import { describePort as describe } from '../../services/listeners/described-port.js';
import { omitNulls, tellAllocation, tellLines, tellSpace, tellWarnings } from '../answers.js';
import { brief, CLOSED, Space } from '../inputs.js';
import { defineTool, READS } from '../tool.js';

export const describePort = defineTool({
  name: 'describe-port',
  description:
    'Whose a number is, and which process listens on it now: for a number in an error such as EADDRINUSE, or in a ' +
    'file. Do not use a number because it is free: get-port gives you one.',
  operations: ['getPort'],
  input: Type.Object({ port: brief(PortNumber), ...Space }, CLOSED),
  annotations: READS,
  repeatable: 'always',
  async execute({ session, listeners, listenerWarnings }, { port, ...space }) {
    const found = await describe(session, listeners, port, spaceOf(space));
    const [allocation = null] = found.allocation ? await listenerWarnings.addToAll(session, [found.allocation]) : [];
    const described = { ...found, allocation };
    const { range, reservation, listener } = described;
    const content = {
      ...omitNulls(described),
      ...(range && { range: { project: range.project, startPort: range.startPort, endPort: range.endPort } }),
      ...(allocation && { allocation: omitNulls(allocation) }),
      ...(reservation && { reservation: omitNulls(reservation) }),
      ...(listener && { listener: omitNulls(listener) }),
    };
    return { text: tellPort(described), content };
  },
});

const STATES: { [State in Port['state']]: string } = {
  free: 'nobody holds it',
  allocated: 'held',
  in_use: 'held, and it was listening at the last probe',
  reserved: 'reserved',
  cooling: 'released a short while ago, and kept back for now',
  excluded: 'excluded: nobody is given it unasked',
  squatted: 'nobody holds it, yet something listens there',
  unmanaged: 'in no range of the registry',
};

function tellPort({ port, host, protocol, state, range, allocation, reservation, listener }: Port): string {
  return tellLines(
    `${port}${tellSpace({ host, protocol })}: ${STATES[state]}.`,
    allocation ? `Holder: ${tellAllocation(allocation)}.` : '',
    reservation ? tellReservation(reservation) : '',
    range ? `Range: ${range.startPort}-${range.endPort} of ${range.project}.` : '',
    listener ? `Listening now: ${tellListener(listener) ?? 'a process that cannot be seen from here'}.` : '',
    allocation ? tellWarnings([allocation]) : '',
  );
}

function tellReservation({ project, service, expiresAt, id, reason }: Reservation): string {
  const of = service === null ? project : `${service} of ${project}`;
  const why = reason === null ? '' : ` (${JSON.stringify(reason)})`;
  return `Reserved for ${of}${why} until ${expiresAt}, id ${id}.`;
}
