import { AppError } from '../errors.js';
import type { Adopt, Adoption } from './commands.js';
import type { Holdings } from './holdings.js';
import { toAllocation } from './rows.js';

const MAX_NAME_LENGTH = 63;

/** Takes a port that is in use already into the registry, or tells who has it. Never refuses. */
export function adopt(holdings: Holdings, command: Adopt): Adoption {
  const { port, host, protocol } = command;
  const held = holdings.activeAt(port, { host, protocol });
  if (held) {
    const { project, service, environment } = held;
    const isMeant = (command.service ?? service) === service && (command.environment ?? environment) === environment;
    return {
      outcome: isMeant ? 'held' : 'conflict',
      detail: `Held by ${project}/${service} (environment ${environment}).`,
      allocation: toAllocation(held),
    };
  }
  const environment = command.environment ?? 'default';
  const wanted = command.service ?? toServiceName(command.processName) ?? `port-${port}`;
  const service = findUnusedName(
    wanted,
    (name) => holdings.activeOf({ ...command, service: name, environment }).length > 0,
  );
  try {
    const allocation = toAllocation(holdings.allocate({ service, environment, host, protocol }, {}, port));
    const why = service === wanted ? '' : `, because ${wanted} holds another port`;
    return {
      outcome: 'adopted',
      detail: `For ${allocation.project}/${service} (environment ${environment})${why}.`,
      allocation,
    };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const { holder } = error.extras;
    return { outcome: 'conflict', detail: describeObstacle(error), allocation: null, ...(holder && { holder }) };
  }
}

/** The name as a service may have it; null where nothing of it is left. */
function toServiceName(processName: string | null): string | null {
  const name = (processName ?? '').toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
  return trimName(name.slice(0, 1000)) || null;
}

function findUnusedName(wanted: string, isUsed: (name: string) => boolean): string {
  let name = wanted;
  for (let number = 2; isUsed(name); number++) {
    const suffix = `-${number}`;
    name = trimName(wanted.slice(0, MAX_NAME_LENGTH - suffix.length)) + suffix;
  }
  return name;
}

/** Names begin and end with a letter or a digit. */
const trimName = (name: string) =>
  name
    .replace(/^[._-]+/, '')
    .slice(0, MAX_NAME_LENGTH)
    .replace(/[._-]+$/, '');

function describeObstacle({ message, extras: { holder, nextPortAvailableAt } }: AppError): string {
  if (!holder) return message;
  const service = holder.service === null ? '' : `/${holder.service}`;
  const environment = holder.environment === null ? '' : ` (environment ${holder.environment})`;
  const who = `${holder.project}${service}${environment}`;
  if (holder.kind === 'cooling') return `Released by ${who}, and kept for it until ${nextPortAvailableAt}.`;
  return `${holder.kind === 'reservation' ? 'Reserved by' : 'Held by'} ${who}, ${holder.kind} ${holder.id}.`;
}
