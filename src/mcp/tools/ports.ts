import { Type } from '@sinclair/typebox';
import { tellActor, tellLastHolder } from '../../access/actor.js';
import { type Space, spaceOf } from '../../keys.js';
import { tellListener } from '../../machine/listener.js';
import type { Session } from '../../registry/session.js';
import { listPortHistory } from '../../repositories/reports/port-history.js';
import { PortNumber } from '../../schemas/common.js';
import type { Port, PortHistoryItem } from '../../schemas/port.js';
import type { Reservation } from '../../schemas/reservation.js';
import { describePort as describe } from '../../services/listeners/described-port.js';
import { omitNulls, tellAllocation, tellLines, tellSpace, tellWarnings } from '../answers.js';
import { brief, CLOSED, Space as SPACE } from '../inputs.js';
import { defineTool, READS } from '../tool.js';

export const describePort = defineTool({
  name: 'describe-port',
  description:
    'Whose a number is, and which process listens on it now: for a number in an error such as EADDRINUSE, or in a ' +
    'file. Do not use a number because it is free: get-port gives you one.',
  operations: ['getPort', 'listPortHistory'],
  input: Type.Object({ port: brief(PortNumber), ...SPACE }, CLOSED),
  annotations: READS,
  repeatable: 'always',
  async execute({ session, listeners, listenerWarnings }, { port, ...space }) {
    const found = await describe(session, listeners, port, spaceOf(space));
    const [allocation = null] = found.allocation ? await listenerWarnings.addToAll(session, [found.allocation]) : [];
    const described = { ...found, allocation };
    const isHeld = found.allocation !== null || found.reservation !== null;
    const lastHolder = isHeld ? null : await findLastHolder(session, port, spaceOf(space));
    const { range, reservation, excluded, listener } = described;
    const content = {
      ...omitNulls(described),
      ...(range && { range: { project: range.project, startPort: range.startPort, endPort: range.endPort } }),
      ...(allocation && { allocation: omitNulls(allocation) }),
      ...(reservation && { reservation: omitNulls(reservation) }),
      ...(excluded && { excluded: { reason: excluded.reason } }),
      ...(listener && { listener: omitNulls(listener) }),
      ...(lastHolder && { lastHolder: giveLastHolder(lastHolder) }),
    };
    return { text: tellPort(described, lastHolder), content };
  },
});

/** Who held a port that nobody holds now; null if nobody did whom the caller may see. */
async function findLastHolder(session: Session, port: number, space: Space): Promise<PortHistoryItem | null> {
  const { items } = await session.read(listPortHistory, port, space, { limit: 1 });
  return items[0] ?? null;
}

function giveLastHolder({ service, project, environment, releasedAt, releasedBy }: PortHistoryItem): object {
  return {
    service,
    project,
    environment,
    ...omitNulls({ releasedAt, releasedBy: releasedBy && tellActor(releasedBy) }),
  };
}

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

function tellPort(
  { port, host, protocol, state, range, allocation, reservation, excluded, listener }: Port,
  lastHolder: PortHistoryItem | null,
): string {
  return tellLines(
    `${port}${tellSpace({ host, protocol })}: ${STATES[state]}.`,
    excluded ? `Why it is excluded: ${JSON.stringify(excluded.reason)}.` : '',
    allocation ? `Holder: ${tellAllocation(allocation)}.` : '',
    reservation ? tellReservation(reservation) : '',
    lastHolder ? tellLastHolder(lastHolder) : '',
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
