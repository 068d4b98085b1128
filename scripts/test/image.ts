// Builds the image and does the main job in it, over a PostgreSQL container and on the embedded default:
// read-only, not root, healthy, stopping with 0. Needs a Docker engine (docker or podman).
// IMAGE names an image that is built already. What it makes, it removes.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { packageRoot, version } from '../../src/package-root.js';

const POSTGRES_IMAGE = 'docker.io/library/postgres:17-alpine';
const START_TIMEOUT_MS = 120_000;
/** An idle service stops in well under a second; an engine kills what takes 10. */
const STOP_TIMEOUT_MS = 5000;
const run = `port-allocator-test-${randomBytes(4).toString('hex')}`;
const database = (name: string) => `postgresql://postgres:secret@${run}-postgres:5432/${name}`;
const cleanups: string[][] = [];
const stopping = new AbortController();

const engine = await findEngine();
const image = process.env.IMAGE || (await buildImage());
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort(new Error(signal)));
try {
  const tests = [
    holdsNoDevelopmentDependency,
    refusesTheNetworkUntilTold,
    runsOverPostgres,
    runsOverPostgresMigratedBefore,
    runsOnTheEmbeddedDefault,
  ];
  await startPostgres();
  for (const test of tests) {
    const start = performance.now();
    await test();
    say(`ok ${test.name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  }
} finally {
  for (const cleanup of cleanups.reverse())
    await docker(cleanup, { signal: null }).catch((error) => say(error.message));
}

async function holdsNoDevelopmentDependency(): Promise<void> {
  const { devDependencies } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  const installed = JSON.parse(
    await inImage('node', '-p', `JSON.stringify(fs.globSync(['*', '@*/*'], { cwd: 'node_modules' }))`),
  );
  assert.ok(installed.includes('fastify'));
  for (const name of Object.keys(devDependencies)) assert.ok(!installed.includes(name), `${name} is in the image`);
  assert.equal(await inImage('node', '-p', 'process.getuid()'), '1000');
  for (const file of ['migrations/0001_names_and_hosts.sql', 'openapi/openapi.json', 'dist/dashboard/index.html']) {
    assert.equal(await inImage('node', '-p', `fs.existsSync('${file}')`), 'true', `${file} is not in the image`);
  }
}

async function refusesTheNetworkUntilTold(): Promise<void> {
  const refusal = await inImage('node', 'dist/src/main.js').then(
    () => assert.fail('it started'),
    (error: Error) => error.message,
  );
  assert.match(refusal, /HOST: "0\.0\.0\.0" is not a loopback address.*ALLOW_UNAUTHENTICATED=true/);
}

async function runsOverPostgres(): Promise<void> {
  const service = await startService({ DATABASE_URL: database('postgres'), MIGRATE_ON_START: 'true' });
  await once({ DATABASE_URL: database('postgres') }, 'node', 'dist/bin/port-allocator.cjs', 'seed');
  await service.allocate(201);
  await service.allocate(200);
  await service.stop();
}

async function runsOverPostgresMigratedBefore(): Promise<void> {
  await docker(['exec', `${run}-postgres`, 'createdb', '--username=postgres', 'migrated']);
  const variables = { DATABASE_URL: database('migrated'), MIGRATE_ON_START: 'false' };
  await once(variables, 'node', 'dist/bin/port-allocator.cjs', 'migrate');
  await once(variables, 'node', 'dist/bin/port-allocator.cjs', 'seed');
  const service = await startService(variables);
  await service.allocate(201);
  await service.stop();
}

async function runsOnTheEmbeddedDefault(): Promise<void> {
  const volume = `${run}-data`;
  await docker(['volume', 'create', volume]);
  cleanups.push(['volume', 'rm', volume]);
  const service = await startService({}, ['--volume', `${volume}:/data`]);
  await service.allocate(201);
  await service.stop();
  const next = await startService({}, ['--volume', `${volume}:/data`]);
  await next.allocate(200);
  await next.stop();
}

async function startPostgres(): Promise<void> {
  await docker(['network', 'create', run]);
  cleanups.push(['network', 'rm', run]);
  await start('postgres', ['--env', 'POSTGRES_PASSWORD=secret', POSTGRES_IMAGE]);
  // While the image's entrypoint initializes, its server listens on no TCP port.
  const ready = ['exec', `${run}-postgres`, 'pg_isready', '--host=127.0.0.1'];
  await until('PostgreSQL answers', () => docker(ready).then(() => true));
}

/** Starts the image as an operator would, and waits until its health check says so. */
async function startService(variables: Record<string, string>, options: string[] = []) {
  const name = `service-${cleanups.length}`;
  const container = await start(name, [
    ...['--publish', '127.0.0.1::8080'],
    ...hardened({ ...variables, ALLOW_UNAUTHENTICATED: 'true' }),
    ...options,
    image,
  ]);
  await until(`${container} is healthy`, async () => {
    const [state, health] = (
      await docker(['inspect', '--format', '{{.State.Status}} {{.State.Health.Status}}', container])
    ).split(' ');
    if (state === 'exited') assert.fail(await docker(['logs', container]));
    return health === 'healthy';
  });
  const address = (await docker(['port', container, '8080/tcp'])).split('\n')[0];
  await until(`${container} is ready`, async () => (await fetch(`http://${address}/readyz`)).ok);
  return {
    async allocate(status: number) {
      const response = await fetch(`http://${address}/v1/projects/consilio/services/api`, { method: 'PUT' });
      const body = (await response.json()) as { port?: number };
      assert.deepEqual([response.status, body.port], [status, 3100]);
    },
    async stop() {
      const before = performance.now();
      await docker(['stop', '-t', '10', container]);
      const tookMs = performance.now() - before;
      assert.equal(await docker(['inspect', '--format', '{{.State.ExitCode}}', container]), '0');
      assert.ok(tookMs < STOP_TIMEOUT_MS, `stopping took ${tookMs} ms`);
    },
  };
}

async function start(name: string, args: string[]): Promise<string> {
  await runContainer(name, ['--detach', '--network', run, ...args]);
  return `${run}-${name}`;
}

/** A command in the image that ends by itself, over the test's PostgreSQL. */
function once(variables: Record<string, string>, ...command: string[]): Promise<string> {
  return runContainer(`once-${cleanups.length}`, [
    ...['--network', run, ...hardened({ ...variables, HOST: '127.0.0.1' })],
    ...[image, ...command],
  ]);
}

function inImage(...command: string[]): Promise<string> {
  return runContainer(`once-${cleanups.length}`, [...hardened({}), image, ...command]);
}

/** Not `--rm`: with it some engines lose the exit code. */
function runContainer(name: string, args: string[]): Promise<string> {
  cleanups.push(['rm', '--force', '--volumes', `${run}-${name}`]);
  return docker(['run', '--name', `${run}-${name}`, ...args]);
}

function hardened(variables: Record<string, string>): string[] {
  const env = Object.entries(variables).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  return ['--read-only', '--cap-drop', 'all', '--security-opt', 'no-new-privileges', ...env];
}

async function buildImage(): Promise<string> {
  say(`building with ${engine}`);
  const format = engine === 'podman' ? ['--format', 'docker'] : []; // podman's own format has no HEALTHCHECK
  await docker(['build', ...format, '--build-arg', `VERSION=${version}`, '--tag', run, packageRoot]);
  cleanups.push(['rmi', run]);
  return run;
}

async function findEngine(): Promise<string> {
  const findings: string[] = [];
  for (const candidate of ['docker', 'podman']) {
    const failure = await execute(candidate, ['info']).then(
      () => null,
      (error: Error) => error.message,
    );
    if (failure === null) return candidate;
    findings.push(`  ${candidate}: ${failure.trim().split('\n').at(-1)}`);
  }
  say(`The image needs a container engine to be tested in, and none answers:\n${findings.join('\n')}`);
  process.exit(1);
}

/** @throws with what the engine printed */
function docker(args: string[], options: { signal: null } | object = {}): Promise<string> {
  return execute(engine, args, options);
}

function execute(file: string, args: string[], options: { signal?: null } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = options.signal === null ? {} : { signal: stopping.signal };
    execFile(file, args, { ...signal, maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${file} ${args.join(' ')}: ${error.message}\n${stdout}${stderr}`));
      else resolve(stdout.trim());
    });
  });
}

/** Tries until it is true, whatever it throws meanwhile but a failed assertion. */
async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  let last: unknown = 'no';
  for (const end = performance.now() + START_TIMEOUT_MS; performance.now() < end; ) {
    stopping.signal.throwIfAborted();
    try {
      if (await check()) return;
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      last = error;
    }
    await setTimeout(250);
  }
  throw new Error(`Waited ${START_TIMEOUT_MS / 1000} s until ${what}: ${last}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
