import { type Static, Type } from '@sinclair/typebox';

const ROWS = { minimum: 1, maximum: 1_000_000_000 };

/** Every environment variable that the service reads, with its default. `.env.example` lists the same variables. */
export const environmentVariables = Type.Object({
  HOST: Type.String({ default: '127.0.0.1' }),
  PORT: Type.Integer({ default: 8080, minimum: 0, maximum: 65535 }),
  DATABASE_URL: Type.Optional(Type.String()),
  DATABASE_URL_FILE: Type.Optional(Type.String()),
  DATABASE_SCHEMA: Type.Optional(Type.String()),
  DATA_DIR: Type.Optional(Type.String()),
  MIGRATE_ON_START: Type.Boolean({ default: true }),
  SEED_ON_START: Type.Optional(Type.Boolean()),
  DATABASE_POOL_SIZE: Type.Integer({ default: 10, minimum: 1, maximum: 1000 }),
  LOCK_TIMEOUT_MS: Type.Integer({ default: 5000, minimum: 1, maximum: 3_600_000 }),
  REQUEST_TIMEOUT_MS: Type.Integer({ default: 10_000, minimum: 1, maximum: 3_600_000 }),
  DRAIN_MS: Type.Integer({ default: 0, minimum: 0, maximum: 3_600_000 }),
  LOG_LEVEL: Type.Unsafe<'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'>({
    type: 'string',
    enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
  }),
  BASE_PATH: Type.String({ default: '' }),
  PUBLIC_URL: Type.Optional(Type.String()),
  TRUST_PROXY: Type.Optional(Type.String()),
  REUSE_COOLDOWN_SECONDS: Type.Integer({ default: 0, minimum: 0, maximum: 2_592_000 }),
  ADMIN_API_KEY: Type.Optional(Type.String()),
  ADMIN_API_KEY_FILE: Type.Optional(Type.String()),
  ALLOW_UNAUTHENTICATED: Type.Boolean({ default: false }),
  ALLOWED_ORIGINS: Type.Optional(Type.String()),
  RATE_LIMIT_PER_MINUTE: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000 })),
  AVOID_LISTENING: Type.Boolean({ default: true }),
  MCP_TOOLS: Type.Unsafe<'core' | 'all'>({ type: 'string', enum: ['core', 'all'], default: 'core' }),
  CONTAINER_SOCKET: Type.Optional(Type.String()),
  PROBE_TIMEOUT_MS: Type.Integer({ default: 1000, minimum: 1, maximum: 60_000 }),
  PROBE_CONCURRENCY: Type.Integer({ default: 256, minimum: 1, maximum: 10_000 }),
  PROBE_TARGETS: Type.Optional(Type.String()),
  PROBE_ALLOWED_HOSTS: Type.Optional(Type.String()),
  AUDIT_SCHEDULE: Type.Optional(Type.String()),
  CLOUDFLARE_API_TOKEN: Type.Optional(Type.String()),
  CLOUDFLARE_API_TOKEN_FILE: Type.Optional(Type.String()),
  CLOUDFLARE_ACCOUNT_ID: Type.Optional(Type.String()),
  CLOUDFLARE_TUNNEL_ID: Type.Optional(Type.String()),
  CLOUDFLARE_ZONES: Type.Optional(Type.String()),
  HEALTH_CHECK_RETENTION_DAYS: Type.Integer({ default: 30, minimum: 1, maximum: 36_500 }),
  // At least 4: what is to be sent to a webhook is tried for 3 days.
  EVENT_RETENTION_DAYS: Type.Integer({ default: 90, minimum: 4, maximum: 36_500 }),
  HISTORY_RETENTION_DAYS: Type.Optional(Type.Integer({ minimum: 1, maximum: 36_500 })),
  MAX_HOSTS_PER_PROJECT: Type.Integer({ default: 1000, ...ROWS }),
  MAX_ENVIRONMENTS_PER_PROJECT: Type.Integer({ default: 1000, ...ROWS }),
  MAX_RESERVATIONS_PER_PROJECT: Type.Integer({ default: 100_000, ...ROWS }),
  MAX_IDEMPOTENCY_KEYS_PER_PROJECT: Type.Integer({ default: 100_000, ...ROWS }),
  // Every five minutes for 30 days, a scheduled audit of a shared range of 1000 ports stores 8,640,000 results.
  MAX_HEALTH_CHECKS_PER_PROJECT: Type.Integer({ default: 10_000_000, ...ROWS }),
});
export type EnvironmentVariables = Static<typeof environmentVariables>;
