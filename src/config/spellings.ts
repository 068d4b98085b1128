// How the texts of environment variables are read, before they are checked.
import { toPlainHost } from '../schemas/host.js';
import { environmentVariables } from './environment-variables.js';

/**
 * Removes white space at the ends of each value, such as the line feed at the end of a mounted secret, and drops the
 * variables of which nothing is left: an empty variable counts as unset.
 */
export function trimVariables(variables: Record<string, string | undefined>): Record<string, string> {
  const trimmed = Object.entries(variables).map(([name, value]) => [name, value?.trim() ?? ''] as const);
  return Object.fromEntries(trimmed.filter(([, value]) => value !== ''));
}

/** Brings the variables that have several usual spellings into the one that the service uses. */
export function normalizeVariables(values: Record<string, string>): Record<string, string> {
  const { HOST, BASE_PATH } = values;
  return {
    ...values,
    ...(HOST !== undefined && { HOST: readHost(HOST) }),
    ...(BASE_PATH !== undefined && { BASE_PATH: readPath(BASE_PATH) }),
  };
}

/**
 * Converts the values of numbers and booleans. A value in any other spelling stays the text that it is, and is refused
 * by the schema. Ajv's own conversion would accept all spellings of JavaScript: `0x1f90`, `1e3`.
 */
export function toTypedVariables(values: Record<string, string>): Record<string, string | number | boolean> {
  const properties = environmentVariables.properties as Record<string, object>;
  const typed = Object.entries(values).map(([name, value]) => {
    const { type } = (properties[name] ?? {}) as { type?: unknown };
    if (type === 'integer' && /^-?\d+$/.test(value)) return [name, Number(value)] as const;
    if (type === 'boolean' && (value === 'true' || value === 'false')) return [name, value === 'true'] as const;
    return [name, value] as const;
  });
  return Object.fromEntries(typed);
}

/**
 * `localhost` is 127.0.0.1. For the name Fastify would open a second server on ::1, which the app does not know: its
 * connections would not be limited, and requests with `Upgrade` would hang there.
 */
function readHost(host: string): string {
  const plain = toPlainHost(host);
  return plain === 'localhost' ? '127.0.0.1' : plain;
}

/** `ports`, `/ports` and `/ports/` are `/ports`, and `/` is the root, ''. */
function readPath(path: string): string {
  const inner = path.replace(/^\/+|\/+$/g, '');
  return inner === '' ? '' : `/${inner}`;
}
