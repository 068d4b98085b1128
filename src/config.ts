import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { Ajv } from 'ajv';
import { envSchema } from 'env-schema';
import { checkVariables, parseTarget, splitList } from './config/checks.js';
import { type CloudflareConfig, checkCloudflare, readCloudflare } from './config/cloudflare.js';
import { type EnvironmentVariables, environmentVariables } from './config/environment-variables.js';
import type { ProjectLimits } from './config/project-limits.js';
import { readSecretFiles } from './config/secret-files.js';
import { normalizeVariables, toTypedVariables, trimVariables } from './config/spellings.js';
import { StartError } from './errors.js';
import { findDataDir } from './input/data-dir.js';
import { packageRoot } from './package-root.js';
import { canonicalHost, isLoopback } from './schemas/host.js';

const DEFAULT_RATE_LIMIT = 60_000;

export interface Config {
  readonly host: string;
  readonly port: number;
  /** Of PostgreSQL. Null if the embedded database in `dataDir` is used. */
  readonly databaseUrl: string | null;
  /** The schema of the registry in PostgreSQL. Null if none was named, which means `DEFAULT_SCHEMA`. */
  readonly databaseSchema: string | null;
  /** Of the embedded database. Empty if there is none, which only happens with a `databaseUrl`. */
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
  /** Origins whose pages may send requests, in addition to the local ones. */
  readonly allowedOrigins: readonly string[];
  /** How many requests this replica answers per key, or per address for requests without a key. Null is no limit. */
  readonly rateLimitPerMinute: number | null;
  /** Whether new ports of this machine are those on which nobody listens. */
  readonly avoidListening: boolean;
  /** Which tools agents see, unless they ask for all. */
  readonly mcpTools: 'core' | 'all';
  /** Path of the socket of the container engine (Docker's API), which knows whose the published ports are. */
  readonly containerSocket: string | null;
  readonly probeTimeoutMs: number;
  /** How many probes this process makes at the same time, for all audits and health checks together. */
  readonly probeConcurrency: number;
  /** By host, the name or address at which its ports are probed instead. */
  readonly probeTargets: ReadonlyMap<string, string>;
  /** Hosts that may be probed, in addition to `localhost` and the hosts of `probeTargets`. */
  readonly probeAllowedHosts: readonly string[];
  /** Cron syntax, in UTC. Null if no audits are scheduled. */
  readonly auditSchedule: string | null;
  /** Null if no tunnel is kept in step with the registry. */
  readonly cloudflare: CloudflareConfig | null;
  readonly healthCheckRetentionDays: number;
  /** For how many days the change feed keeps its events. */
  readonly eventRetentionDays: number;
  /** For how many days released allocations are kept. Null is for ever. */
  readonly historyRetentionDays: number | null;
  /** What each project may hold at most. */
  readonly limits: ProjectLimits;
}

/** Lists every problem of the configuration, each on a line, so that all can be corrected before the next start. */
export class ConfigError extends StartError {
  override readonly name = 'ConfigError';

  constructor(readonly problems: string[]) {
    super(`The configuration is not valid:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
}

/**
 * Reads, checks and freezes the configuration. White space at the ends of values is removed, and an empty variable
 * counts as unset. With `dotenv`, variables that are not set are read from the file `.env` in this package's folder.
 * They are never read from the current folder: the MCP server starts in the folder that an agent works in, whose `.env`
 * belongs to another program.
 * @throws ConfigError naming every bad variable
 */
export function loadConfig(variables: Record<string, string | undefined>, options: { dotenv?: boolean } = {}): Config {
  const given = { ...trimVariables(options.dotenv ? readDotenv() : {}), ...trimVariables(variables) };
  const secrets = readSecretFiles(given);
  const values = normalizeVariables(secrets.values);
  // Whoever names the folder for clients means the same one when he starts the service or a command of an operator.
  const { dataDir, problems } = findDataDir({ ...values, DATA_DIR: values.DATA_DIR ?? values.PORT_ALLOCATOR_DATA_DIR });
  problems.push(...secrets.problems);
  let env: EnvironmentVariables;
  try {
    env = envSchema<EnvironmentVariables>({
      schema: environmentVariables,
      data: toTypedVariables(values),
      env: false,
      ajv: new Ajv({ allErrors: true, removeAdditional: true, useDefaults: true }), // without its conversion of types
    });
  } catch (error) {
    const findings = (error as { errors?: { instancePath: string; message?: string; params?: object }[] }).errors;
    if (!findings) throw error;
    problems.push(
      ...findings.map((finding) => describeFinding(finding, values)),
      ...checkVariables(values),
      ...checkCloudflare(values),
    );
    throw new ConfigError(problems);
  }
  problems.push(...checkVariables(env), ...checkCloudflare(env));
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze({
    host: env.HOST,
    port: env.PORT,
    databaseUrl: env.DATABASE_URL ?? null,
    databaseSchema: env.DATABASE_SCHEMA ?? null,
    dataDir,
    migrateOnStart: env.MIGRATE_ON_START,
    seedOnStart: env.SEED_ON_START ?? env.DATABASE_URL === undefined,
    databasePoolSize: env.DATABASE_POOL_SIZE,
    lockTimeoutMs: env.LOCK_TIMEOUT_MS,
    requestTimeoutMs: env.REQUEST_TIMEOUT_MS,
    drainMs: env.DRAIN_MS,
    logLevel: env.LOG_LEVEL,
    basePath: env.BASE_PATH,
    publicUrl: env.PUBLIC_URL?.replace(/\/+$/, '') ?? null,
    trustProxy: splitList(env.TRUST_PROXY),
    reuseCooldownSeconds: env.REUSE_COOLDOWN_SECONDS,
    adminApiKey: env.ADMIN_API_KEY ?? null,
    allowUnauthenticated: env.ALLOW_UNAUTHENTICATED,
    allowedOrigins: splitList(env.ALLOWED_ORIGINS),
    rateLimitPerMinute: rateLimitOf(env),
    avoidListening: env.AVOID_LISTENING,
    mcpTools: env.MCP_TOOLS,
    containerSocket: env.CONTAINER_SOCKET ?? null,
    probeTimeoutMs: env.PROBE_TIMEOUT_MS,
    probeConcurrency: env.PROBE_CONCURRENCY,
    probeTargets: new Map(splitList(env.PROBE_TARGETS).map((entry) => parseTarget(entry) as [string, string])),
    probeAllowedHosts: splitList(env.PROBE_ALLOWED_HOSTS).map((entry) => canonicalHost(entry) as string),
    auditSchedule: env.AUDIT_SCHEDULE === 'off' ? null : (env.AUDIT_SCHEDULE ?? null),
    cloudflare: readCloudflare(env),
    healthCheckRetentionDays: env.HEALTH_CHECK_RETENTION_DAYS,
    eventRetentionDays: env.EVENT_RETENTION_DAYS,
    historyRetentionDays: env.HISTORY_RETENTION_DAYS ?? null,
    limits: Object.freeze({
      hosts: env.MAX_HOSTS_PER_PROJECT,
      environments: env.MAX_ENVIRONMENTS_PER_PROJECT,
      reservations: env.MAX_RESERVATIONS_PER_PROJECT,
      idempotencyKeys: env.MAX_IDEMPOTENCY_KEYS_PER_PROJECT,
      healthChecks: env.MAX_HEALTH_CHECKS_PER_PROJECT,
    }),
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

function describeFinding(
  { instancePath, message = 'is not valid', params = {} }: { instancePath: string; message?: string; params?: object },
  values: Record<string, string | undefined>,
): string {
  const name = instancePath.slice(1);
  const { type, allowedValues } = params as { type?: string; allowedValues?: string[] };
  const wrong =
    type === 'integer'
      ? 'is no whole number in decimal digits'
      : type === 'boolean'
        ? 'is neither true nor false'
        : allowedValues
          ? `is not one of ${allowedValues.join(', ')}`
          : message;
  return `${name}: ${JSON.stringify(values[name])} ${wrong}`;
}
