import type { Command } from 'commander';
import type { Listener } from '../../client/listeners.js';
import { findListening, tellListener } from '../../client/machine/listening.js';
import { makeVisible } from '../../input/visible.js';
import type { Port } from '../../schemas/port.js';
import { hostOption, protocolOption, readPort, type SpaceOptions } from '../arguments.js';
import { openContext } from '../context.js';

export function registerWho(program: Command): void {
  program
    .command('who')
    .description('tells whose a port is, and who listens on it here')
    .argument('<port>', 'the number', readPort)
    .addOption(hostOption())
    .addOption(protocolOption())
    .addHelpText('after', '\nExamples:\n  pa who 3100\n  pa who 5353 --protocol udp\n  pa who 3100 --json')
    .action(async (port: number, { host, protocol }: SpaceOptions, command: Command) => {
      const { connection, output } = openContext(command);
      const [owner, listening] = await Promise.all([
        connection.send<Port>({ method: 'GET', path: `/v1/ports/${port}`, query: { host, protocol } }),
        protocol === 'udp' ? null : findListening([port]),
      ]);
      // Whoever listens on a port of another host cannot be seen from here, and nobody listens on UDP.
      const isHere = listening !== null && owner.host === 'localhost';
      const lines = [`${output.style('bold', String(port))}: ${tellOwner(owner)}`];
      if (isHere) lines.push(tellListening(listening, port));
      const listener = isHere ? (listening.get(port) ?? null) : null;
      output.answer(lines.join('\n'), { ...owner, isListening: isHere ? listening.has(port) : null, listener });
    });
}

function tellListening(listening: ReadonlyMap<number, Listener | null>, port: number): string {
  if (!listening.has(port)) return 'Nobody listens on it here now.';
  return `On it listens ${tellListener(listening.get(port) ?? null)}.`;
}

function tellOwner({ state, range, allocation, reservation }: Port): string {
  if (allocation !== null) {
    const { project, service, environment, allocatedAt } = allocation;
    return `${service} of ${project} (environment ${environment}), since ${allocatedAt.slice(0, 10)}.`;
  }
  if (reservation !== null) {
    const { project, service, reservedBy, reason, expiresAt } = reservation;
    const whom = `${service === null ? '' : `${service} of `}${project}${reservedBy === null ? '' : ` by ${makeVisible(reservedBy)}`}`;
    return `reserved for ${whom} until ${expiresAt}.${reason === null ? '' : ` ${makeVisible(reason)}`}`;
  }
  const place = range === null ? 'in no range' : `in the range ${range.startPort}-${range.endPort} of ${range.project}`;
  return state === 'cooling' ? `released a short while ago, ${place}.` : `nobody has it; it is ${place}.`;
}
