import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { envSchema } from 'env-schema';
import { checkVariables, parseTarget, splitList } from './config/checks.js';
import { type EnvironmentVariables, environmentVariables } from './config/environment-variables.js';
import { readSecretFiles } from './config/secret-files.js';
import { packageRoot } from './package-root.js';
import { canonicalHost, isLoopback } from './schemas/host.js';

const DEFAULT_RATE_LIMIT = 60_000;

export interface Config {
  readonly host: string;
  readonly port: number;
  /** Of PostgreSQL. Null if the embedded database in `dataDir` is used. */
  readonly databaseUrl: string | null;
  readonly dataDir: string;
  readonly migrateOnStart: boolean;
  readonly seedOnStart: boolean;
  readonly databasePoolSize: number;
  readonly lockTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /**
   * How long a process that stops still takes requests. It reports itself as not ready meanwhile, so that the proxy
   * stops sending it any.
   */
  readonly drainMs: number;
  readonly logLevel: EnvironmentVariables['LOG_LEVEL'];
  /** Empty, or a path such as `/sub/path` without a trailing slash. */
  readonly basePath: string;
  readonly publicUrl: string | null;
  /** Addresses or CIDR blocks of the proxies whose forwarded headers are believed. */
  readonly trustProxy: readonly string[];
  readonly reuseCooldownSeconds: number;
  /** If set, keys are in force, whatever `allowUnauthenticated` says. */
  readonly adminApiKey: string | null;
  readonly allowUnauthenticated: boolean;
  /** The key that the stdio process sends with its calls. */
  readonly apiKey: string | null;
  /** Origins whose pages may send requests, in addition to the local ones. */
  readonly allowedOrigins: readonly string[];
  /** How many requests this replica answers per key, or per address for requests without a key. Null is no limit. */
  readonly rateLimitPerMinute: number | null;
  readonly probeTimeoutMs: number;
  /** How many probes this process makes at the same time, for all audits and health checks together. */
  readonly probeConcurrency: number;
  /** By host, the name or address at which its ports are probed instead. */
  readonly probeTargets: ReadonlyMap<string, string>;
  /** Hosts that may be probed, in addition to `localhost` and the hosts of `probeTargets`. */
  readonly probeAllowedHosts: readonly string[];
  /** Cron syntax, in UTC. Null if no audits are scheduled. */
  readonly auditSchedule: string | null;
  readonly healthCheckRetentionDays: number;
  /** For how many days released allocations are kept. Null is for ever. */
  readonly historyRetentionDays: number | null;
}

/** Lists every problem of the configuration, each on a line, so that all can be corrected before the next start. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: string[]) {
    super(`The configuration is not valid:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
}

/**
 * Reads, checks and freezes the configuration. An empty variable counts as unset. With `dotenv`, variables that are not
 * set are read from the file `.env` in this package's folder. They are never read from the current folder: the MCP
 * server starts in the folder that an agent works in, whose `.env` belongs to another program.
 * @throws ConfigError naming every bad variable
 */
export function loadConfig(variables: Record<string, string | undefined>, options: { dotenv?: boolean } = {}): Config {
  const given = { ...withoutEmpty(options.dotenv ? readDotenv() : {}), ...withoutEmpty(variables) };
  const { values, problems } = readSecretFiles(given);
  let env: EnvironmentVariables;
  try {
    env = envSchema<EnvironmentVariables>({ schema: environmentVariables, data: values, env: false });
  } catch (error) {
    const findings = (error as { errors?: { instancePath: string; message?: string; params?: object }[] }).errors;
    if (!findings) throw error;
    problems.push(...findings.map((finding) => describeFinding(finding, values)), ...checkVariables(values));
    throw new ConfigError(problems);
  }
  problems.push(...checkVariables(env));
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

/** By default there is no limit without keys on a loopback address, which only programs of this machine can reach. */
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
  values: Record<string, string | undefined>,
): string {
  const name = finding.instancePath.slice(1);
  const allowed = (finding.params as { allowedValues?: string[] } | undefined)?.allowedValues;
  return `${name}: ${JSON.stringify(values[name])} ${finding.message ?? 'is not valid'}${allowed ? ` (${allowed.join(', ')})` : ''}`;
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
