import { Type } from '@sinclair/typebox';
import { spaceOf } from '../../keys.js';
import { tellListener } from '../../machine/listener.js';
import { PortNumber } from '../../schemas/common.js';
import type { Port } from '../../schemas/port.js';
import { describePort as describe } from '../../services/listeners/described-port.js';
import { present, tellHolder, tellLines, tellListed, tellSpace } from '../answers.js';
import { brief, Space } from '../inputs.js';
import { defineTool, READS } from '../tool.js';

export const describePort = defineTool({
  name: 'describe-port',
  description:
    'Whose a number is, and which process listens on it now: for a number in an error such as EADDRINUSE, or in a ' +
    'file. Do not use a number because it is free: get-port gives you one.',
  operations: ['getPort'],
  input: Type.Object({ port: brief(PortNumber), ...Space }, { additionalProperties: false }),
  annotations: READS,
  repeatable: 'always',
  async execute({ session, listeners }, { port, ...space }) {
    const described = await describe(session, listeners, port, spaceOf(space));
    const { range, allocation, reservation, listener } = described;
    const content = {
      ...present(described),
      ...(range && { range: { project: range.project, startPort: range.startPort, endPort: range.endPort } }),
      ...(allocation && { allocation: present(allocation) }),
      ...(reservation && { reservation: present(reservation) }),
      ...(listener && { listener: present(listener) }),
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
    allocation ? `Holder: ${tellHolder(allocation)}. ${tellListed(allocation)}` : '',
    reservation ? `Reserved for ${reservation.project} until ${reservation.expiresAt}, id ${reservation.id}.` : '',
    range ? `Range: ${range.startPort}-${range.endPort} of ${range.project}.` : '',
    listener ? `Listening now: ${tellListener(listener) ?? 'a process that cannot be seen from here'}.` : '',
  );
}
