import { homedir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ConfigError, loadConfig } from '../src/config.js';
import { isLoopback } from '../src/schemas/host.js';
import { problemsOf } from './helpers/config.js';

t.test('without a variable the service runs on loopback, embedded, with the documented defaults', async (t) => {
  t.strictSame(
    { ...loadConfig({ XDG_DATA_HOME: '/data' }) },
    {
      host: '127.0.0.1',
      port: 8080,
      databaseUrl: null,
      databaseSchema: null,
      dataDir: '/data/port-allocator',
      migrateOnStart: true,
      seedOnStart: true,
      databasePoolSize: 10,
      lockTimeoutMs: 5000,
      requestTimeoutMs: 10_000,
      drainMs: 0,
      logLevel: 'info',
      basePath: '',
      publicUrl: null,
      trustProxy: [],
      reuseCooldownSeconds: 0,
      adminApiKey: null,
      allowUnauthenticated: false,
      allowedOrigins: [],
      rateLimitPerMinute: null,
      avoidListening: true,
      mcpTools: 'core',
      containerSocket: null,
      probeTimeoutMs: 1000,
      probeConcurrency: 256,
      probeTargets: new Map(),
      probeAllowedHosts: [],
      auditSchedule: null,
      cloudflare: null,
      healthCheckRetentionDays: 30,
      eventRetentionDays: 90,
      historyRetentionDays: null,
      limits: {
        hosts: 1000,
        environments: 1000,
        reservations: 100_000,
        idempotencyKeys: 100_000,
        healthChecks: 10_000_000,
      },
    },
  );
});

t.test('every variable is taken', async (t) => {
  t.strictSame(
    {
      ...loadConfig({
        HOST: '0.0.0.0',
        PORT: '0',
        DATABASE_URL: 'postgresql://u:p@db/x',
        DATABASE_SCHEMA: 'ports',
        DATA_DIR: '/srv/ports/../registry/',
        MIGRATE_ON_START: 'false',
        SEED_ON_START: 'true',
        DATABASE_POOL_SIZE: '3',
        LOCK_TIMEOUT_MS: '100',
        REQUEST_TIMEOUT_MS: '200',
        DRAIN_MS: '3000',
        LOG_LEVEL: 'debug',
        BASE_PATH: '/ports/',
        PUBLIC_URL: 'https://example.com/ports/',
        TRUST_PROXY: '10.0.0.1, 10.1.0.0/16,::1',
        REUSE_COOLDOWN_SECONDS: '30',
        ALLOWED_ORIGINS: 'https://a.example, http://b.example:81',
        RATE_LIMIT_PER_MINUTE: '600',
        AVOID_LISTENING: 'false',
        MCP_TOOLS: 'all',
        CONTAINER_SOCKET: '/run/docker.sock',
        PROBE_TIMEOUT_MS: '500',
        PROBE_CONCURRENCY: '8',
        PROBE_TARGETS: 'localhost=host.docker.internal, DB1=10.0.0.7',
        PROBE_ALLOWED_HOSTS: 'db2, 10.0.0.8',
        AUDIT_SCHEDULE: '*/5 * * * *',
        HEALTH_CHECK_RETENTION_DAYS: '7',
        EVENT_RETENTION_DAYS: '30',
        HISTORY_RETENTION_DAYS: '365',
        MAX_HOSTS_PER_PROJECT: '1',
        MAX_ENVIRONMENTS_PER_PROJECT: '2',
        MAX_RESERVATIONS_PER_PROJECT: '3',
        MAX_IDEMPOTENCY_KEYS_PER_PROJECT: '4',
        MAX_HEALTH_CHECKS_PER_PROJECT: '5',
        CLOUDFLARE_API_TOKEN: 't'.repeat(40),
        CLOUDFLARE_ACCOUNT_ID: 'A'.repeat(32),
        CLOUDFLARE_TUNNEL_ID: 'f70ff985-a4ef-4643-bbbc-4a0ed4fc8415',
        CLOUDFLARE_ZONES: 'Example.com, example.org',
        ADMIN_API_KEY: 'k'.repeat(32),
        ALLOW_UNAUTHENTICATED: 'true',
      }),
    },
    {
      host: '0.0.0.0',
      port: 0,
      databaseUrl: 'postgresql://u:p@db/x',
      databaseSchema: 'ports',
      dataDir: '/srv/registry',
      migrateOnStart: false,
      seedOnStart: true,
      databasePoolSize: 3,
      lockTimeoutMs: 100,
      requestTimeoutMs: 200,
      drainMs: 3000,
      logLevel: 'debug',
      basePath: '/ports',
      publicUrl: 'https://example.com/ports',
      trustProxy: ['10.0.0.1', '10.1.0.0/16', '::1'],
      reuseCooldownSeconds: 30,
      adminApiKey: 'k'.repeat(32),
      allowUnauthenticated: true,
      allowedOrigins: ['https://a.example', 'http://b.example:81'],
      rateLimitPerMinute: 600,
      avoidListening: false,
      mcpTools: 'all',
      containerSocket: '/run/docker.sock',
      probeTimeoutMs: 500,
      probeConcurrency: 8,
      probeTargets: new Map([
        ['localhost', 'host.docker.internal'],
        ['db1', '10.0.0.7'],
      ]),
      probeAllowedHosts: ['db2', '10.0.0.8'],
      auditSchedule: '*/5 * * * *',
      cloudflare: {
        apiToken: 't'.repeat(40),
        accountId: 'a'.repeat(32),
        tunnelId: 'f70ff985-a4ef-4643-bbbc-4a0ed4fc8415',
        zones: ['example.com', 'example.org'],
      },
      healthCheckRetentionDays: 7,
      eventRetentionDays: 30,
      historyRetentionDays: 365,
      limits: { hosts: 1, environments: 2, reservations: 3, idempotencyKeys: 4, healthChecks: 5 },
    },
  );
});

t.test('only the embedded database is seeded at the start, unless SEED_ON_START says otherwise', async (t) => {
  t.equal(loadConfig({}).seedOnStart, true);
  t.equal(loadConfig({ DATABASE_URL: 'postgres://db/x' }).seedOnStart, false);
  t.equal(loadConfig({ SEED_ON_START: 'false' }).seedOnStart, false);
});

t.test('secrets can be read from files', async (t) => {
  const folder = t.testdir({ url: 'postgresql://u:p@db/x\n', key: `${'k'.repeat(32)}\n`, empty: '\n' });
  const file = (name: string) => join(folder, name);
  const config = loadConfig({ DATABASE_URL_FILE: file('url'), ADMIN_API_KEY_FILE: file('key'), HOST: '0.0.0.0' });
  t.match(config, { databaseUrl: 'postgresql://u:p@db/x', adminApiKey: 'k'.repeat(32) });
  t.match(problemsOf({ DATABASE_URL_FILE: file('url'), DATABASE_URL: 'postgresql://db/y' }), [
    /^DATABASE_URL_FILE: .*too/,
  ]);
  t.match(problemsOf({ ADMIN_API_KEY_FILE: file('empty'), DATABASE_URL_FILE: file('none') }), [
    /^DATABASE_URL_FILE: ENOENT/,
    /^ADMIN_API_KEY_FILE: .* is empty/,
  ]);
  t.match(problemsOf({ ADMIN_API_KEY_FILE: file('url'), PORT: 'x' }), [/^PORT/, /^ADMIN_API_KEY: .*32/]);
});

t.test('an empty variable counts as unset', async (t) => {
  const names = [
    'HOST',
    'PORT',
    'DATABASE_URL',
    'DATA_DIR',
    'MIGRATE_ON_START',
    'SEED_ON_START',
    'LOG_LEVEL',
    'BASE_PATH',
    'PUBLIC_URL',
    'TRUST_PROXY',
    'REUSE_COOLDOWN_SECONDS',
    'ADMIN_API_KEY',
    'ALLOW_UNAUTHENTICATED',
    'XDG_DATA_HOME',
  ];
  t.strictSame(loadConfig(Object.fromEntries(names.map((name) => [name, '']))), loadConfig({}));
});

t.test("the data folder is in the user's folder for data", { skip: process.platform !== 'linux' }, async (t) => {
  t.equal(loadConfig({}).dataDir, join(homedir(), '.local', 'share', 'port-allocator'));
});

t.test('every bad variable is reported, all at once', async (t) => {
  const problems = problemsOf({
    HOST: '0.0.0.0',
    PORT: '65536',
    DATABASE_URL: 'mysql://root:secret@db/x',
    MIGRATE_ON_START: 'yes',
    SEED_ON_START: '2',
    DATABASE_POOL_SIZE: '0',
    LOCK_TIMEOUT_MS: '-5',
    REQUEST_TIMEOUT_MS: 'soon',
    LOG_LEVEL: 'loud',
    BASE_PATH: 'po rts',
    PUBLIC_URL: 'example.com',
    TRUST_PROXY: 'true',
    REUSE_COOLDOWN_SECONDS: '1.5',
    ALLOW_UNAUTHENTICATED: 'maybe',
  });
  t.strictSame(problems.map((problem) => problem.split(':')[0]).sort(), [
    'ALLOW_UNAUTHENTICATED',
    'BASE_PATH',
    'DATABASE_POOL_SIZE',
    'DATABASE_URL',
    'HOST',
    'LOCK_TIMEOUT_MS',
    'LOG_LEVEL',
    'MIGRATE_ON_START',
    'PORT',
    'PUBLIC_URL',
    'REQUEST_TIMEOUT_MS',
    'REUSE_COOLDOWN_SECONDS',
    'SEED_ON_START',
    'TRUST_PROXY',
  ]);
  t.notMatch(problems.join(), /secret/, 'a password is never printed');
  const error = new ConfigError(problems);
  for (const problem of problems) t.match(error.message, problem);
});

t.test('a refusal says what is wrong with the value', async (t) => {
  t.strictSame(problemsOf({ PORT: '65536' }), ['PORT: "65536" must be <= 65535']);
  t.strictSame(problemsOf({ LOG_LEVEL: 'loud' }), [
    'LOG_LEVEL: "loud" is not one of fatal, error, warn, info, debug, trace, silent',
  ]);
  t.strictSame(problemsOf({ TRUST_PROXY: '10.0.0.1, proxy' }), [
    'TRUST_PROXY: "proxy" is neither an IP address nor a CIDR block',
  ]);
});

t.test('an unusable database URL is reported together with all other errors, and never printed', async (t) => {
  for (const url of [
    'postgres://[',
    'postgres://u:secret@localhost:99999/x',
    'postgres://u:se#cret@db/x',
    'postgres:db',
    'secret',
  ]) {
    const problems = problemsOf({ DATABASE_URL: url, HOST: '0.0.0.0' });
    t.match(problems, [/^HOST: /, /^DATABASE_URL: what was given is not /], url);
    t.equal(problems.length, 2);
    t.notMatch(problems.join(), /secret|99999/);
  }
  for (const url of [
    'postgres://db/x',
    'postgresql:///db?host=/run/postgresql',
    'postgresql://u:p@/db?host=/run/postgresql',
    'postgres://u@%2Frun%2Fpostgresql/db',
    'postgres://u:p%23@[::1]:5433/x?sslmode=disable',
  ]) {
    t.equal(loadConfig({ DATABASE_URL: url }).databaseUrl, url);
  }
});

t.test('beyond loopback the service listens only when that is allowed', async (t) => {
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.com', 'localhost.example.com']) {
    t.match(problemsOf({ HOST: host }), [/^HOST: .*ALLOW_UNAUTHENTICATED=true/], host);
    t.match(problemsOf({ HOST: host, ALLOW_UNAUTHENTICATED: 'false' }), [/^HOST: /], host);
    t.equal(loadConfig({ HOST: host, ALLOW_UNAUTHENTICATED: 'true' }).host, host);
  }
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) {
    t.equal(isLoopback(host), true);
    t.equal(loadConfig({ HOST: host }).host, host);
  }
  t.equal(isLoopback('localhost'), true);
});

t.test('a configuration cannot be changed', async (t) => {
  const config = loadConfig({});
  t.equal(Object.isFrozen(config), true);
  t.throws(() => Object.assign(config, { port: 1 }), TypeError);
});

t.test('ambiguous hosts to probe are refused', async (t) => {
  t.match(problemsOf({ PROBE_ALLOWED_HOSTS: '*' }), [/^PROBE_ALLOWED_HOSTS: "\*" is neither/]);
  t.match(problemsOf({ PROBE_TARGETS: '*=gateway' }), [/^PROBE_TARGETS: "\*=gateway" is not of the form/]);
  t.match(problemsOf({ PROBE_TARGETS: 'a=b,A=c' }), [/^PROBE_TARGETS: "A=c" is a second target for a/]);
});

t.test('DATABASE_SCHEMA is a name that needs no quotation marks', async (t) => {
  for (const name of ['ports', '_p1', 'a'.repeat(63)]) t.same(problemsOf({ DATABASE_SCHEMA: name }), []);
  for (const name of ['Ports', '1st', 'a-b', 'a,b', '"a"', 'pg_x', 'information_schema', 'a'.repeat(64)]) {
    t.match(
      problemsOf({ DATABASE_SCHEMA: name }),
      [/^DATABASE_SCHEMA: .* is not a name of at most 63 lower-case/],
      name,
    );
  }
});
