import { dotenvNameConflict, dotenvPlaceConflict } from '../refusals.js';
import type { Allocation } from '../schemas/allocation.js';

/**
 * Names the variable for each service's port: `WEB_APP_PORT` for the service `web-app`.
 * @throws AppError dotenv-name-conflict if two services get the same variable, or if a name would begin with a digit
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
 * Writes a line for each service, such as `WEB_PORT=3100`, in the order given. Of a service that holds several ports,
 * the first one given is written.
 * @throws AppError dotenv-name-conflict
 */
export function toDotenv(allocations: readonly Pick<Allocation, 'service' | 'port'>[]): string {
  const firstPorts = new Map([...allocations].reverse().map(({ service, port }) => [service, port] as const));
  const names = toVariableNames(allocations.map(({ service }) => service));
  return [...names].map(([service, name]) => `${name}=${firstPorts.get(service)}\n`).join('');
}

/**
 * The same for allocations of several projects, environments, hosts or protocols.
 * @throws AppError dotenv-name-conflict also for a service that is in more than one of these, because its variable
 * would have several values
 */
export function toExportedDotenv(allocations: readonly Allocation[]): string {
  const owners = new Map<string, Set<string>>();
  for (const { service, project, environment, host, protocol } of allocations) {
    const owner = `${project} (${environment}, ${host}, ${protocol})`;
    owners.set(service, (owners.get(service) ?? new Set()).add(owner));
  }
  const problems = [...owners]
    .filter(([, { size }]) => size > 1)
    .map(
      ([service, several]) => `${toVariableName(service)} would be that of ${service} in ${[...several].join(' and ')}`,
    );
  if (problems.length > 0) throw dotenvPlaceConflict(problems);
  return toDotenv(allocations);
}

const toVariableName = (service: string) => `${service.toUpperCase().replace(/[^A-Z0-9]/g, '_')}_PORT`;
