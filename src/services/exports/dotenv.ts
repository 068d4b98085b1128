import { findVariableConflicts, toVariableName } from '../../input/variable-names.js';
import { dotenvNameConflict, dotenvPlaceConflict } from '../../refusals.js';
import type { Allocation } from '../../schemas/allocation.js';
import type { ExportSource } from './source.js';

export type ServicePort = Pick<Allocation, 'service' | 'port'>;

/**
 * Names the variable for each service's port: `WEB_APP_PORT` for the service `web-app`.
 * @throws AppError dotenv-name-conflict if two services get the same variable, or if a name would begin with a digit
 */
export function toVariableNames(services: Iterable<string>): Map<string, string> {
  const names = new Map([...services].map((service) => [service, toVariableName(service)] as const));
  const problems = findVariableConflicts(names.keys());
  if (problems.length > 0) throw dotenvNameConflict(problems);
  return names;
}

/**
 * Writes a line for each service, such as `WEB_PORT=3100`, in the order given. Of a service that holds several ports,
 * the first one given is written.
 * @throws AppError dotenv-name-conflict
 */
export function toDotenv(allocations: readonly ServicePort[]): string {
  const firstPorts = new Map([...allocations].reverse().map(({ service, port }) => [service, port] as const));
  const names = toVariableNames(allocations.map(({ service }) => service));
  return [...names].map(([service, name]) => `${name}=${firstPorts.get(service)}\n`).join('');
}

/** How many places a refusal names for one service. */
const NAMED_PLACES = 5;

/**
 * The same for allocations of several projects, environments, hosts or protocols. Nothing is written before all of them
 * were read, because a conflict has to be refused before the first line.
 * @throws AppError dotenv-name-conflict also for a service that is in more than one of these, because its variable
 * would have several values
 */
export async function* writeExportedDotenv({ ports }: ExportSource): AsyncGenerator<string> {
  const held = new Map<string, { service: string; port: number; places: string[] }>();
  for await (const page of ports()) {
    for (const { service, port, project, environment, host, protocol } of page) {
      const place = `${project} (${environment}, ${host}, ${protocol})`;
      const known = held.get(service);
      if (!known) held.set(service, { service, port, places: [place] });
      else if (known.places.length < NAMED_PLACES && !known.places.includes(place)) known.places.push(place);
    }
  }
  const problems = [...held.values()]
    .filter(({ places }) => places.length > 1)
    .map(({ service, places }) => `${toVariableName(service)} would be that of ${service} in ${places.join(' and ')}`);
  if (problems.length > 0) throw dotenvPlaceConflict(problems);
  yield toDotenv([...held.values()]);
}
