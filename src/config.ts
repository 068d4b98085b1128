import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { envSchema } from 'env-schema';
import { checkRest, parseTarget, splitList } from './config/checks.js';
import { type EnvironmentVariables, environmentVariables } from './config/environment-variables.js';
import { readSecretFiles } from './config/secret-files.js';
import { packageRoot } from './package-root.js';
import { canonicalHost, isLoopback } from './schemas/host.js';

const DEFAULT_RATE_LIMIT = 60_000;

export interface Config {
  readonly host: string;
  readonly port: number;
  /** PostgreSQL; null is the embedded default in `dataDir`. */
  readonly databaseUrl: string | null;
  readonly dataDir: string;
  readonly migrateOnStart: boolean;
  readonly seedOnStart: boolean;
  readonly databasePoolSize: number;
  readonly lockTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** How long a stopping process goes on taking requests, no longer ready, so that a proxy sends it no more. */
  readonly drainMs: number;
  readonly logLevel: EnvironmentVariables['LOG_LEVEL'];
  /** '' or '/sub/path', without a trailing slash. */
  readonly basePath: string;
  readonly publicUrl: string | null;
  /** Addresses or CIDR blocks of proxies whose forwarded headers count. */
  readonly trustProxy: readonly string[];
  readonly reuseCooldownSeconds: number;
  /** Puts keys in force, whatever `allowUnauthenticated` says; null is none. */
  readonly adminApiKey: string | null;
  readonly allowUnauthenticated: boolean;
  /** What the stdio process shows to where keys are in force; null is none. */
  readonly apiKey: string | null;
  /** Origins beside the local ones whose pages may send requests. */
  readonly allowedOrigins: readonly string[];
  /** Requests of one key, or of one address without one, that this replica answers; null is no limit. */
  readonly rateLimitPerMinute: number | null;
  readonly probeTimeoutMs: number;
  /** Probes under way at a time, of all audits and health checks of this process. */
  readonly probeConcurrency: number;
  /** Where a host's ports are reached from here: host → name or address. */
  readonly probeTargets: ReadonlyMap<string, string>;
  /** Hosts that may be probed beside `localhost` and those that have a target. */
  readonly probeAllowedHosts: readonly string[];
  /** Cron syntax, in UTC; null is off. */
  readonly auditSchedule: string | null;
  readonly healthCheckRetentionDays: number;
  /** Days that released allocations are kept; null is for ever. */
  readonly historyRetentionDays: number | null;
}

/** Every problem found, a line each, so that a start fails once and not once per variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: string[]) {
    super(`The configuration is not valid:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
}

/**
 * Reads, checks and freezes the configuration. An empty variable counts as unset.
 * `.env` is read from the package's own folder, never from the current one: the MCP server starts in
 * whatever folder an agent works in, and that folder's `.env` belongs to another program.
 * @throws ConfigError naming every bad variable
 */
export function loadConfig(variables: Record<string, string | undefined>, options: { dotenv?: boolean } = {}): Config {
  const given = { ...withoutEmpty(options.dotenv ? readDotenv() : {}), ...withoutEmpty(variables) };
  const { set, problems } = readSecretFiles(given);
  let env: EnvironmentVariables;
  try {
    env = envSchema<EnvironmentVariables>({ schema: environmentVariables, data: set, env: false });
  } catch (error) {
    const findings = (error as { errors?: { instancePath: string; message?: string; params?: object }[] }).errors;
    if (!findings) throw error;
    problems.push(...findings.map((finding) => describeFinding(finding, set)), ...checkRest(set));
    throw new ConfigError(problems);
  }
  problems.push(...checkRest(env));
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze({
    host: env.HOST,
    port: env.PORT,
    databaseUrl: env.DATABASE_URL ?? null,
    dataDir: resolve(env.DATA_DIR ?? defaultDataDir(variables)),
    migrateOnStart: env.MIGRATE_ON_START,
    seedOnStart: env.SEED_ON_START ?? env.DATABASE_URL === undefined,
    databasePoolSize: env.DATABASE_POOL_SIZE,
    lockTimeoutMs: env.LOCK_TIMEOUT_MS,
    requestTimeoutMs: env.REQUEST_TIMEOUT_MS,
    drainMs: env.DRAIN_MS,
    logLevel: env.LOG_LEVEL,
    basePath: env.BASE_PATH.replace(/\/$/, ''),
    publicUrl: env.PUBLIC_URL?.replace(/\/$/, '') ?? null,
    trustProxy: splitList(env.TRUST_PROXY),
    reuseCooldownSeconds: env.REUSE_COOLDOWN_SECONDS,
    adminApiKey: env.ADMIN_API_KEY ?? null,
    allowUnauthenticated: env.ALLOW_UNAUTHENTICATED,
    apiKey: env.PORT_ALLOCATOR_API_KEY ?? null,
    allowedOrigins: splitList(env.ALLOWED_ORIGINS),
    rateLimitPerMinute: rateLimitOf(env),
    probeTimeoutMs: env.PROBE_TIMEOUT_MS,
    probeConcurrency: env.PROBE_CONCURRENCY,
    probeTargets: new Map(splitList(env.PROBE_TARGETS).map((entry) => parseTarget(entry) as [string, string])),
    probeAllowedHosts: splitList(env.PROBE_ALLOWED_HOSTS).map((entry) => canonicalHost(entry) as string),
    auditSchedule: env.AUDIT_SCHEDULE === 'off' ? null : (env.AUDIT_SCHEDULE ?? null),
    healthCheckRetentionDays: env.HEALTH_CHECK_RETENTION_DAYS,
    historyRetentionDays: env.HISTORY_RETENTION_DAYS ?? null,
  });
}

/** None by default where only this machine's own programs ask. */
function rateLimitOf({ RATE_LIMIT_PER_MINUTE, ADMIN_API_KEY, HOST }: EnvironmentVariables): number | null {
  const isOpen = ADMIN_API_KEY !== undefined || !isLoopback(HOST);
  return (RATE_LIMIT_PER_MINUTE ?? (isOpen ? DEFAULT_RATE_LIMIT : 0)) || null;
}

function readDotenv(): NodeJS.Dict<string> {
  const path = join(packageRoot, '.env');
  return existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {};
}

function withoutEmpty(variables: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
}

function describeFinding(
  finding: { instancePath: string; message?: string; params?: object },
  set: Record<string, string | undefined>,
): string {
  const name = finding.instancePath.slice(1);
  const allowed = (finding.params as { allowedValues?: string[] } | undefined)?.allowedValues;
  return `${name}: ${JSON.stringify(set[name])} ${finding.message ?? 'is not valid'}${allowed ? ` (${allowed.join(', ')})` : ''}`;
}

/** XDG Base Directory Specification on Linux, and its counterparts on macOS and Windows. */
function defaultDataDir(variables: Record<string, string | undefined>): string {
  if (variables.XDG_DATA_HOME) return join(variables.XDG_DATA_HOME, 'port-allocator');
  const home = homedir();
  if (process.platform === 'darwin') return join(home, 'Library', 'Application Support', 'port-allocator');
  if (process.platform === 'win32') {
    return join(variables.LOCALAPPDATA ?? join(home, 'AppData', 'Local'), 'port-allocator');
  }
  return join(home, '.local', 'share', 'port-allocator');
}
