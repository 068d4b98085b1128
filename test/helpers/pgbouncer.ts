import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Test } from 'tap';
import { findFreePort } from '../../scripts/postgres.js';

/** Fewer than the pools of two replicas have, so that the sessions change between clients all the time. */
const SERVER_CONNECTIONS = 5;
const START_TIMEOUT_MS = 30_000;
const NOBODY = 65534;

/**
 * Starts PgBouncer (from the PATH) in transaction mode in front of a PostgreSQL server. It is stopped when the test
 * ends.
 * @returns a function that turns the URL of a database into one that leads through PgBouncer
 */
export async function startPgBouncer(t: Test, server: string): Promise<(databaseUrl: string) => string> {
  const folder = await mkdtemp(join(tmpdir(), 'pgbouncer-'));
  await chmod(folder, 0o755); // when called by root, PgBouncer runs as another user, which must be able to enter
  t.teardown(() => rm(folder, { recursive: true }));
  const { hostname, port, username, password } = new URL(server);
  const listenPort = await findFreePort();
  await writeFile(join(folder, 'userlist.txt'), `"${username}" "${decodeURIComponent(password)}"\n`);
  await writeFile(
    join(folder, 'pgbouncer.ini'),
    `[databases]
* = host=${hostname} port=${port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(folder, 'userlist.txt')}
pool_mode = transaction
default_pool_size = ${SERVER_CONNECTIONS}
`,
  );
  const child = spawn('pgbouncer', [join(folder, 'pgbouncer.ini')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(process.getuid?.() === 0 && { uid: NOBODY, gid: NOBODY }),
  });
  let log = '';
  child.stderr.on('data', (text) => (log += text));
  const exited = once(child, 'exit');
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill); // also if the test exceeds its time limit
  t.teardown(() => {
    process.removeListener('exit', kill);
    kill();
    return exited;
  });
  const through = (databaseUrl: string) => {
    const url = new URL(databaseUrl);
    url.host = `127.0.0.1:${listenPort}`;
    return url.href;
  };
  for (const deadline = Date.now() + START_TIMEOUT_MS; !(await answers(through(server))); await sleep(50)) {
    if (Date.now() > deadline || child.exitCode !== null) throw new Error(`PgBouncer does not answer:\n${log}`);
  }
  return through;
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {}); // connect() fails with the same error
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}
