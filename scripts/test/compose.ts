// Starts deploy/compose.yaml as an operator would and does the main job through the proxy: healthy, not root,
// read-only, secrets made, replicas replaced one after another under load. Needs a Docker engine and Compose.
// PORT_ALLOCATOR_IMAGE, POSTGRES_IMAGE and PROXY_IMAGE name other images. What it makes, it removes.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/package-root.js';
import { findFreePort } from '../postgres.js';

const START_TIMEOUT_MS = 180_000;
const LONG_RUNNING = ['postgres', 'replica-1', 'replica-2', 'proxy'];

const run = promisify(execFile);
const project = `port-allocator-${randomBytes(4).toString('hex')}`;
const address = `127.0.0.1:${await findFreePort()}`;
const env = { ...process.env, PUBLISH: address };
const [program, ...leading] = await findCompose();

try {
  await compose('up', '--detach');
  await until('the proxy answers', async () => (await fetch(`http://${address}/readyz`)).ok);
  say('ok one command starts it');
  const key = await compose('run', '--rm', '--no-deps', 'migrate', 'cat', '/run/secrets/admin-api-key');
  await compose('run', '--rm', '--no-deps', 'migrate', 'node', 'dist/bin/port-allocator.cjs', 'seed');
  const allocate = async (service: string) => {
    const response = await fetch(`http://${address}/v1/projects/consilio/services/${service}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${key}` },
    });
    return { status: response.status, body: (await response.json()) as { port?: number; code?: string } };
  };
  assert.deepEqual((await allocate('api')).body.port, 3100);
  assert.equal((await fetch(`http://${address}/v1/ranges`)).status, 401);
  say('ok port 3100 through the proxy, with the key that was made');
  for (const service of LONG_RUNNING) await isHardened(service);
  say('ok no root, read-only, limited');
  await replaceUnderLoad(allocate);
  await compose('down');
  await compose('up', '--detach');
  await until('it is there again', async () => (await allocate('api')).body.port === 3100);
  say('ok what was allocated outlives the containers, and so do the secrets');
} catch (error) {
  say(await compose('logs', '--tail=50').catch(String));
  throw error;
} finally {
  await compose('down', '--volumes', '--timeout', '5');
}

async function isHardened(service: string): Promise<void> {
  const id = await compose('ps', '--quiet', service);
  const { stdout } = await run('docker', ['inspect', id], { maxBuffer: 2 ** 24 });
  const [{ HostConfig: host, Config: config }] = JSON.parse(stdout);
  assert.equal(host.ReadonlyRootfs, true, `${service} can write to its root`);
  assert.ok(host.Memory > 0, `${service} may take all memory`);
  assert.ok(!['', 'root', '0'].includes(config.User), `${service} is root`);
  const { stdout: uid } = await run('docker', ['exec', id, 'id', '-u']);
  assert.notEqual(uid.trim(), '0', `${service} is root`);
}

/** As an update does it: each replica is made anew while callers go on. */
async function replaceUnderLoad(allocate: (service: string) => Promise<{ status: number; body: object }>) {
  const answers = new Map<string, number>();
  let running = true;
  const callers = Promise.all(
    Array.from({ length: 4 }, async (_, i) => {
      for (let n = 0; running; n++) {
        const answer = await allocate(`load-${i}-${n % 5}`).then(
          ({ status, body }) => (status < 300 ? 'answered' : `${status} ${JSON.stringify(body)}`),
          (error: Error) => `${error.message} ${error.cause}`,
        );
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
        await setTimeout(5);
      }
    }),
  );
  for (const replica of ['replica-1', 'replica-2']) {
    await compose('up', '--detach', '--no-deps', '--force-recreate', replica);
    await until(`${replica} is healthy`, async () => {
      const id = await compose('ps', '--quiet', replica);
      const { stdout } = await run('docker', ['inspect', '--format', '{{.State.Health.Status}}', id]);
      return stdout.trim() === 'healthy';
    });
    await setTimeout(2000); // until the proxy's checks have seen it too
  }
  running = false;
  await callers;
  const failed = [...answers].filter(([answer]) => answer !== 'answered');
  assert.deepEqual(failed, [], 'requests failed while replicas were replaced');
  say(`ok replicas replaced one after another: ${answers.get('answered')} requests answered, none failed`);
}

async function findCompose(): Promise<[string, ...string[]]> {
  const hasPlugin = await run('docker', ['compose', 'version']).then(
    () => true,
    () => false,
  );
  return hasPlugin ? ['docker', 'compose'] : ['docker-compose'];
}

async function compose(...args: string[]): Promise<string> {
  const file = join(packageRoot, 'deploy/compose.yaml');
  const all = [...leading, '--file', file, '--project-name', project, ...args];
  const { stdout } = await run(program, all, { env, maxBuffer: 2 ** 26 });
  return stdout.trim();
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  let last: unknown = 'no';
  for (const end = performance.now() + START_TIMEOUT_MS; performance.now() < end; await setTimeout(250)) {
    const isSo = await check().catch((error: unknown) => {
      last = error;
      return false;
    });
    if (isSo) return;
  }
  throw new Error(`Waited ${START_TIMEOUT_MS / 1000} s until ${what}: ${last}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
