import { findVariableConflicts, toVariableName } from '../../../src/input/variable-names.js';
import { apiKey, type Held, serviceUrl } from './api.js';
import { DEFAULT_SPACE } from './port-space.js';
import { held } from './store.js';

// What somebody copies of a port, to use it elsewhere.

/** Where the service is reached; null of UDP, which no browser speaks. */
export function urlOfService({ host, port, protocol, serviceType }: Held): string | null {
  if (protocol === 'udp') return null;
  const scheme = serviceType?.toLowerCase() === 'https' ? 'https' : 'http';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The line that the export of a project has for the service; null where it has none, see `dotenvOf`. */
export function dotenvLineOf(one: Held): string | null {
  return findVariableConflicts([one.service]).length > 0 ? null : `${toVariableName(one.service)}=${one.port}`;
}

/** The call that answers with this very port again: get-or-allocate, or where another port has its key, a look-up. */
export function curlLineOf(one: Held): string {
  const key = apiKey.value === null ? '' : ' -H "Authorization: Bearer $PORT_ALLOCATOR_API_KEY"';
  if (!isFirstOfItsKey(one)) return `curl -fsS${key} '${serviceUrl}/v1/allocations/${one.id}'`;
  const query = new URLSearchParams(one.environment === 'default' ? {} : { environment: one.environment });
  if (one.host !== DEFAULT_SPACE.host) query.set('host', one.host);
  if (one.protocol !== DEFAULT_SPACE.protocol) query.set('protocol', one.protocol);
  const path = `/v1/projects/${one.project}/services/${one.service}${query.size === 0 ? '' : `?${query}`}`;
  return `curl -fsS -X PUT${key} '${serviceUrl}${path}'`;
}

/**
 * The command that prints this very port, in whatever folder. Null where the service holds several ports in one place:
 * the command prints the lowest.
 */
export function commandLineOf(one: Held): string | null {
  if (!isFirstOfItsKey(one)) return null;
  const { service, project, environment, host, protocol } = one;
  const options = ['--project', project, '--environment', environment];
  if (host !== DEFAULT_SPACE.host) options.push('--host', host);
  if (protocol !== DEFAULT_SPACE.protocol) options.push('--protocol', protocol);
  return `pa port ${service} ${options.join(' ')}`;
}

function isFirstOfItsKey(one: Held): boolean {
  const key = keyOf(one);
  for (const other of held.value.values()) {
    if (other.service === one.service && other.port < one.port && keyOf(other) === key) return false;
  }
  return true;
}

const keyOf = ({ project, service, environment, host, protocol }: Held) =>
  [project, service, environment, host, protocol].join(' ');

/** The lines of several ports as the export writes them, or why no file can have them all. */
export function dotenvOf(several: readonly Held[]): { text: string } | { problem: string } {
  const firsts = new Map<string, Held>();
  const problems = new Set<string>();
  for (const one of several.toSorted((a, b) => a.port - b.port)) {
    const first = firsts.get(one.service);
    if (first === undefined) firsts.set(one.service, one);
    else if (keyOf(first) !== keyOf(one)) problems.add(`${toVariableName(one.service)} would have several values`);
  }
  for (const problem of findVariableConflicts(firsts.keys())) problems.add(problem);
  if (problems.size > 0) return { problem: `One .env file cannot have them all: ${[...problems].join('; ')}.` };
  const lines = [...firsts].sort(([a], [b]) => (a < b ? -1 : 1));
  return { text: lines.map(([service, { port }]) => `${toVariableName(service)}=${port}\n`).join('') };
}
