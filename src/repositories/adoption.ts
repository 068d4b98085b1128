import { AppError } from '../errors.js';
import type { Adopt, Adoption } from './commands.js';
import type { Holdings } from './holdings.js';
import { toAllocation } from './rows.js';

const MAX_NAME_LENGTH = 63;

/**
 * Takes a port that is in use already into the registry, or tells who has it. Never refuses.
 * @param numbers where to go on counting for each wanted name that was used already in its place
 */
export function adopt(holdings: Holdings, command: Adopt, numbers: Map<string, number>): Adoption {
  const { port, host, protocol } = command;
  const held = holdings.activeAt(port, { host, protocol });
  if (held) {
    const { project, service, environment } = held;
    const isMeant =
      isNameFor(command.service ?? service, service) && (command.environment ?? environment) === environment;
    return {
      outcome: isMeant ? 'held' : 'conflict',
      detail: `Held by ${project}/${service} (environment ${environment}).`,
      allocation: toAllocation(held),
    };
  }
  const environment = command.environment ?? 'default';
  const wanted = command.service ?? toServiceName(command.processName) ?? `port-${port}`;
  const place = `${wanted} ${environment} ${host} ${protocol}`;
  const service = findUnusedName(
    wanted,
    place,
    numbers,
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

/** @param place what the name has to be unused in, with the name itself */
function findUnusedName(
  wanted: string,
  place: string,
  numbers: Map<string, number>,
  isUsed: (name: string) => boolean,
): string {
  let name = wanted;
  for (let number = numbers.get(place) ?? 2; isUsed(name); number++) {
    name = numbered(wanted, `-${number}`);
    numbers.set(place, number);
  }
  return name;
}

const numbered = (wanted: string, suffix: string) =>
  trimName(wanted.slice(0, MAX_NAME_LENGTH - suffix.length)) + suffix;

/** Whether an import that wants this name gave that one, so that the same import again finds its own. */
function isNameFor(wanted: string, name: string): boolean {
  const [suffix] = /-[1-9]\d*$/.exec(name) ?? [];
  return name === wanted || (suffix !== undefined && name === numbered(wanted, suffix));
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
