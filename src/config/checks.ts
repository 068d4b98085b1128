// Checks of environment variables that their JSON schema cannot express.
import { isIP } from 'node:net';
import { Cron } from 'croner';
import ipaddr from 'ipaddr.js';
import { canonicalHost, findForbiddenRange, isLoopback } from '../schemas/host.js';
import type { EnvironmentVariables } from './environment-variables.js';

type TextVariable =
  | 'HOST'
  | 'BASE_PATH'
  | 'PUBLIC_URL'
  | 'ADMIN_API_KEY'
  | 'TRUST_PROXY'
  | 'ALLOWED_ORIGINS'
  | 'DATABASE_URL'
  | 'DATABASE_SCHEMA'
  | 'PROBE_TARGETS'
  | 'PROBE_ALLOWED_HOSTS'
  | 'AUDIT_SCHEDULE';

type Variables = { [Name in keyof EnvironmentVariables]?: unknown } & { [Name in TextVariable]?: string | undefined };

/**
 * @param env parsed, or raw as they were set if the schema found problems, so that both kinds are reported together
 * @returns a line for each problem
 */
export function checkVariables(env: Variables): string[] {
  const problems: string[] = [];
  for (const entry of splitList(env.TRUST_PROXY)) {
    if (isIP(entry) === 0 && !ipaddr.isValidCIDR(entry)) {
      problems.push(`TRUST_PROXY: ${JSON.stringify(entry)} is neither an IP address nor a CIDR block`);
    }
  }
  for (const entry of splitList(env.ALLOWED_ORIGINS)) {
    if (!URL.canParse(entry) || new URL(entry).origin !== entry) {
      problems.push(`ALLOWED_ORIGINS: ${JSON.stringify(entry)} is no origin, such as https://tools.example.com`);
    }
  }
  return [
    ...checkHost(env),
    ...problems,
    ...checkBasePath(env.BASE_PATH),
    ...checkPublicUrl(env.PUBLIC_URL),
    ...checkAdminApiKey(env.ADMIN_API_KEY),
    ...checkDatabaseUrl(env.DATABASE_URL),
    ...checkDatabaseSchema(env.DATABASE_SCHEMA),
    ...checkProbes(env),
    ...checkSchedule(env.AUDIT_SCHEDULE),
  ];
}

function checkHost(env: Variables): string[] {
  const host = env.HOST ?? '127.0.0.1';
  const given = `HOST: ${JSON.stringify(host)}`;
  if (isIP(host) === 0 && (isWildcard(host) || canonicalHost(host) === null)) {
    return [`${given} is neither an IP address nor a host name; all addresses are 0.0.0.0 or ::`];
  }
  const isOpen = env.ADMIN_API_KEY !== undefined || String(env.ALLOW_UNAUTHENTICATED ?? false) === 'true';
  if (isLoopback(host) || isOpen) return [];
  return [
    `${given} is not a loopback address, and there anyone could take and release ports. Set ADMIN_API_KEY, ` +
      'listen on 127.0.0.1, or set ALLOW_UNAUTHENTICATED=true if the network in front of the service is trusted',
  ];
}

/** Clients remove the segments `.` and `..` from a path before they send it. */
function checkBasePath(path = ''): string[] {
  if (/^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._~-]+)*$/.test(path)) return [];
  return [`BASE_PATH: ${JSON.stringify(path)} is no path such as /ports, of letters, digits, and - . _ ~`];
}

/** The problem does not quote the value, because it may have a password in it. */
function checkPublicUrl(url: string | undefined): string[] {
  const parsed = url !== undefined && /^https?:\/\/[^\s?#]+$/.test(url) && URL.canParse(url) ? new URL(url) : null;
  if (url === undefined || (parsed && parsed.username === '' && parsed.password === '')) return [];
  return [
    'PUBLIC_URL: what was given is no URL such as https://ports.example.com/registry, without a user, a password, ' +
      '? and #',
  ];
}

/** The problem does not quote the value, because it is a secret. */
function checkAdminApiKey(key: string | undefined): string[] {
  if (key === undefined || /^[A-Za-z0-9._~+/-]{32,512}=*$/.test(key)) return [];
  return [
    'ADMIN_API_KEY: what was given is not 32 to 512 letters, digits or -._~+/; ' +
      'make one with `openssl rand -hex 32`',
  ];
}

/** The problem does not quote the value, because it may have a password in it. */
function checkDatabaseUrl(url: string | undefined): string[] {
  // Like libpq, pg accepts a URL without a host, such as `postgresql://user@/database?host=/run/postgresql`.
  if (url === undefined || (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url.replace('@/', '@localhost/'))))
    return [];
  return [
    'DATABASE_URL: what was given is not of the form postgresql://user:password@host:port/database; ' +
      'in the user and the password, :, /, ?, #, [, ] and @ are percent-encoded',
  ];
}

/** Only names that mean the same with and without quotation marks, because people write them at a `psql` prompt. */
function checkDatabaseSchema(schema: string | undefined): string[] {
  if (schema === undefined || (/^[a-z_][a-z0-9_]{0,62}$/.test(schema) && !/^(pg_|information_schema$)/.test(schema))) {
    return [];
  }
  return [
    `DATABASE_SCHEMA: ${JSON.stringify(schema)} is not a name of at most 63 lower-case letters, digits and _ that begins with ` +
      "a letter or _; names that begin with pg_ are PostgreSQL's own",
  ];
}

function checkProbes(env: { [Name in TextVariable]?: string | undefined }): string[] {
  const problems: string[] = [];
  const targeted = new Set<string>();
  for (const entry of splitList(env.PROBE_TARGETS)) {
    const [host, target] = parseTarget(entry) ?? [];
    if (host === undefined || target === undefined || isWildcard(entry.split('=')[0])) {
      problems.push(`PROBE_TARGETS: ${JSON.stringify(entry)} is not of the form host=target, of names or addresses`);
    } else if (targeted.has(host)) {
      problems.push(`PROBE_TARGETS: ${JSON.stringify(entry)} is a second target for ${host}; give one`);
    } else problems.push(...checkAddress('PROBE_TARGETS', target));
    if (host !== undefined) targeted.add(host);
  }
  for (const entry of splitList(env.PROBE_ALLOWED_HOSTS)) {
    const host = isWildcard(entry) ? null : canonicalHost(entry);
    if (host === null) {
      problems.push(`PROBE_ALLOWED_HOSTS: ${JSON.stringify(entry)} is neither a host name nor an IP address`);
    } else problems.push(...checkAddress('PROBE_ALLOWED_HOSTS', host));
  }
  return problems;
}

/**
 * `canonicalHost` turns `*`, the wildcard address of a socket, into `localhost`. In these lists it is refused, because
 * whoever writes it there means all hosts.
 */
const isWildcard = (entry = '') => entry.trim() === '*';

function checkAddress(name: string, host: string): string[] {
  const range = isIP(host) === 0 ? null : findForbiddenRange(host);
  return range === null ? [] : [`${name}: ${JSON.stringify(host)} is ${range}, and never probed`];
}

function checkSchedule(schedule: string | undefined): string[] {
  if (schedule === undefined || schedule === 'off') return [];
  try {
    if (new Cron(schedule, { timezone: 'UTC' }).nextRun() !== null) return [];
    return [`AUDIT_SCHEDULE: ${JSON.stringify(schedule)} never comes round again`];
  } catch (error) {
    return [`AUDIT_SCHEDULE: ${JSON.stringify(schedule)} is no cron expression: ${(error as Error).message}`];
  }
}

/**
 * Reads `host=target`. The host gets the form in which hosts are stored. A target that is an address stays as it is, so
 * that it can be one particular loopback address.
 */
export function parseTarget(entry: string): [host: string, target: string] | null {
  const [name = '', given = '', ...rest] = entry.split('=').map((part) => part.trim());
  const host = canonicalHost(name);
  const target = isIP(given) === 0 ? canonicalHost(given) : given.toLowerCase();
  return host === null || target === null || rest.length > 0 ? null : [host, target];
}

export function splitList(value: string | undefined): string[] {
  return (value ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}
