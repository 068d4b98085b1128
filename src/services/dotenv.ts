import { dotenvNameConflict, dotenvPlaceConflict } from '../refusals.js';
import type { Allocation } from '../schemas/allocation.js';

/**
 * The variable that each service's port goes by: `web-app` is `WEB_APP_PORT`.
 * @throws AppError dotenv-name-conflict, naming the services whose names collide or are none of a variable
 */
export function toVariableNames(services: Iterable<string>): Map<string, string> {
  const names = new Map([...services].map((service) => [service, toVariableName(service)] as const));
  const byName = new Map<string, string[]>();
  for (const [service, name] of names) byName.set(name, [...(byName.get(name) ?? []), service]);
  const problems = [...byName].flatMap(([name, owners]) => {
    if (/^\d/.test(name)) return [`${name} of ${owners.join(' and ')} begins with a digit`];
    return owners.length > 1 ? [`${name} would be that of ${owners.join(' and ')}`] : [];
  });
  if (problems.length > 0) throw dotenvNameConflict(problems);
  return names;
}

/**
 * A line each, `WEB_PORT=3100`, in the order given. A service that holds several ports goes by the first.
 * @throws AppError dotenv-name-conflict
 */
export function toDotenv(allocations: readonly Pick<Allocation, 'service' | 'port'>[]): string {
  const firsts = new Map([...allocations].reverse().map(({ service, port }) => [service, port] as const));
  const names = toVariableNames(allocations.map(({ service }) => service));
  return [...names].map(([service, name]) => `${name}=${firsts.get(service)}\n`).join('');
}

/**
 * The same for allocations of any place: a service of several projects, environments, hosts or protocols would be one
 * variable with several values.
 * @throws AppError dotenv-name-conflict
 */
export function toPlacedDotenv(allocations: readonly Allocation[]): string {
  const places = new Map<string, Set<string>>();
  for (const { service, project, environment, host, protocol } of allocations) {
    const place = `${project} (${environment}, ${host}, ${protocol})`;
    places.set(service, (places.get(service) ?? new Set()).add(place));
  }
  const problems = [...places]
    .filter(([, { size }]) => size > 1)
    .map(
      ([service, owners]) => `${toVariableName(service)} would be that of ${service} in ${[...owners].join(' and ')}`,
    );
  if (problems.length > 0) throw dotenvPlaceConflict(problems);
  return toDotenv(allocations);
}

const toVariableName = (service: string) => `${service.toUpperCase().replace(/[^A-Z0-9]/g, '_')}_PORT`;
