/** The name of the variable for a service's port: `WEB_APP_PORT` for the service `web-app`. */
export const toVariableName = (service: string): string => `${service.toUpperCase().replace(/[^A-Z0-9]/g, '_')}_PORT`;

/** Says which services get the same variable, and which get one that begins with a digit, which no shell can set. */
export function findVariableConflicts(services: Iterable<string>): string[] {
  const byName = new Map<string, string[]>();
  for (const service of services) {
    const name = toVariableName(service);
    byName.set(name, [...(byName.get(name) ?? []), service]);
  }
  return [...byName].flatMap(([name, owners]) => {
    if (/^\d/.test(name)) return [`${name} of ${owners.join(' and ')} begins with a digit`];
    return owners.length > 1 ? [`${name} would be that of ${owners.join(' and ')}`] : [];
  });
}
