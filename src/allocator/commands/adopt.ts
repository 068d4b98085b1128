import { AppError, type Holder } from '../../errors.js';
import type { Space } from '../../keys.js';
import { toAllocation } from '../../repositories/allocations.js';
import { withoutMetadata } from '../../schemas/allocation.js';
import type { ImportedPort } from '../../schemas/import.js';
import type { CommandDefinition } from '../command.js';
import type { ProjectState } from '../project-state.js';

/** A port that is in use already, to be taken into the registry. */
export interface Adopt extends Space {
  port: number;
  /** Null: the environment that holds the port, or else `default`. */
  environment: string | null;
  /** Null: the service that holds the port, or else a name made of `processName`, or else of the port. */
  service: string | null;
  processName: string | null;
}

export interface Adoption extends Omit<ImportedPort, 'line' | 'port' | 'host'> {
  /** Who stands in the way, where that is not the project itself: not every caller may be told. */
  holder?: Holder;
}

const MAX_NAME_LENGTH = 63;

/** Holds a port for the service that uses it already, or tells who has it. It never refuses. */
export const adopt: CommandDefinition<Adopt, Adoption> = {
  needs: ({ port, environment, host, protocol }) => ({
    environment: { environment: environment ?? 'default', host, protocol },
    port: { port, host, protocol },
    takes: [{ port, host, protocol }],
    environments: [environment ?? 'default'],
    metadata: false,
  }),

  decide(state, input) {
    const held = state.heldAt(input.port, input);
    if (!held) return adoptFree(state, input);
    const { project, service, environment } = held;
    const isWanted = isNameFor(input.service ?? service, service) && (input.environment ?? environment) === environment;
    return {
      outcome: isWanted ? 'held' : 'conflict',
      detail: `Held by ${project}/${service} (environment ${environment}).`,
      allocation: withoutMetadata(toAllocation(held)),
    };
  },

  repeatable: () => false, // the second answer would say `held` of what the first adopted
};

function adoptFree(state: ProjectState, { port, host, protocol, ...wanted }: Adopt): Adoption {
  const environment = wanted.environment ?? 'default';
  const name = wanted.service ?? toServiceName(wanted.processName) ?? `port-${port}`;
  const service = findUnusedName(state, name, { environment, host, protocol });
  try {
    const allocation = withoutMetadata(
      toAllocation(state.allocate({ service, environment, host, protocol }, {}, port)),
    );
    const why = service === name ? '' : `, because ${name} holds another port`;
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

/** The name in the form that services have; null where nothing of it is left. */
function toServiceName(processName: string | null): string | null {
  const name = (processName ?? '').toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
  return trimName(name.slice(0, 1000)) || null;
}

/**
 * `wanted`, or else the first of `wanted-2`, `wanted-3`, … that holds no port there. The state remembers where counting
 * stopped, so that thousands of ports of one process do not count from 2 each time.
 */
function findUnusedName(state: ProjectState, wanted: string, where: Space & { environment: string }): string {
  const counter = `${wanted} ${where.environment} ${where.host} ${where.protocol}`;
  let name = wanted;
  for (
    let number = state.nameNumbers.get(counter) ?? 2;
    state.heldBy({ ...where, service: name }).length > 0;
    number++
  ) {
    name = numbered(wanted, `-${number}`);
    state.nameNumbers.set(counter, number);
  }
  return name;
}

const numbered = (wanted: string, suffix: string) =>
  trimName(wanted.slice(0, MAX_NAME_LENGTH - suffix.length)) + suffix;

/** Whether an import that wants `wanted` would have given `name`, so that the same import again finds what it made. */
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
