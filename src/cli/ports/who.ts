import type { Command } from 'commander';
import { tellActor, tellLastHolder } from '../../access/actor.js';
import { findListening, isAccepted, tellListening } from '../../client/machine/listening.js';
import { isOfThisMachine, type Settings } from '../../client/settings.js';
import { makeVisible } from '../../input/visible.js';
import { describeListener } from '../../machine/listener.js';
import type { Listener, Port, PortHistoryItem, PortHistoryPage } from '../../schemas/port.js';
import { hostOption, protocolOption, readPort, type SpaceOptions } from '../arguments.js';
import { openContext } from '../context.js';
import { formatTable } from '../table.js';

/** As many as a page of history may have. */
const MAX_HISTORY = 1000;

export function registerWho(program: Command): void {
  program
    .command('who')
    .description('tells whose a port is or was, and who listens on it here')
    .argument('<port>', 'the number', readPort)
    .addOption(hostOption())
    .addOption(protocolOption())
    .option('--history', 'everybody who had it, the newest first')
    .addHelpText(
      'after',
      '\nExamples:\n  pa who 3100\n  pa who 3100 --history\n  pa who 5353 --protocol udp\n  pa who 3100 --json',
    )
    .action(async (port: number, options: SpaceOptions & { history?: boolean }, command: Command) => {
      const { connection, settings, output } = openContext(command);
      const query = { host: options.host, protocol: options.protocol };
      const readHistory = (limit: number) =>
        connection.send<PortHistoryPage>({
          method: 'GET',
          path: `/v1/ports/${port}/history`,
          query: { ...query, limit },
        });
      if (options.history) {
        const { items, nextCursor } = await readHistory(MAX_HISTORY);
        output.answer(items.length === 0 ? '' : formatHistory(items), items);
        if (items.length === 0) output.note(`Nobody has had ${port}, as far as you may see it.`);
        if (nextCursor !== null) output.note(`These are the newest ${MAX_HISTORY}. There are older ones.`);
        return;
      }
      const owner = await connection.send<Port>({ method: 'GET', path: `/v1/ports/${port}`, query });
      const reason = owner.state === 'excluded' ? (owner.excluded?.reason ?? null) : null;
      const isHeld = owner.allocation !== null || owner.reservation !== null;
      const lastHolder = isHeld ? null : ((await readHistory(1)).items[0] ?? null);
      const seen = await findListener(owner, settings);
      const lines = [`${output.style('bold', String(port))}: ${tellOwner(owner, reason)}`];
      if (lastHolder !== null) lines.push(tellLastHolder(lastHolder));
      if (seen.isListening === true) lines.push(`On it listens ${tellListening(seen.listener)}.`);
      if (seen.isListening === false) lines.push('Nobody listens on it here now.');
      output.answer(lines.join('\n'), { ...owner, reason, lastHolder, ...seen });
    });
}

/**
 * Who listens on the port on this machine. A service of this machine has looked. Where it sees nobody, it may run as
 * another user or in a container that has ports of its own, unless it is the service of the data folder.
 * @returns in `isListening` null where that cannot be known: of another host, and of a UDP port on which none is seen
 */
async function findListener(
  { port, host, protocol, listener }: Port,
  settings: Settings,
): Promise<{ isListening: boolean | null; listener: Listener | null }> {
  if (listener !== null && isOfThisMachine(settings)) return { isListening: true, listener };
  if (host !== 'localhost' || protocol === 'udp') return { isListening: null, listener: null };
  if (settings.url === null) return { isListening: await isAccepted(port), listener: null };
  const found = await findListening([port]);
  const seen = found.get(port) ?? null;
  return { isListening: found.has(port), listener: seen && describeListener(seen) };
}

function tellOwner({ state, range, allocation, reservation }: Port, reason: string | null): string {
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
  if (reason !== null) return `excluded: ${makeVisible(reason)}\nIt is ${place}.`;
  // Held or reserved in a project that the caller's key does not cover.
  if (state === 'allocated') return `taken, ${place}.`;
  return state === 'cooling' ? `released a short while ago, ${place}.` : `nobody has it; it is ${place}.`;
}

function formatHistory(items: readonly PortHistoryItem[]): string {
  return formatTable(
    ['FROM', 'UNTIL', 'FOR', 'ALLOCATED BY', 'RELEASED BY'],
    items.map((item) => [
      item.allocatedAt,
      item.releasedAt,
      `${item.project}/${item.service} (${item.environment})`,
      tellActor(item.allocatedBy),
      item.releasedBy && tellActor(item.releasedBy),
    ]),
  );
}
