import { execFile, execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import { findFreePort } from '../../scripts/postgres.js';

const run = promisify(execFile);

/**
 * Starts a server of the PostgreSQL installation whose `initdb` is on the PATH. It is stopped when the test ends. Tests
 * with pg_dump need it: pg_dump must not be older than its server, and the servers from the npm registry come without
 * it.
 * @returns the URL of the database `postgres`, as superuser
 */
export async function startDebianPostgres(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'port-allocator-debian-postgres-'));
  await chmod(folder, 0o777);
  t.teardown(() => rm(folder, { recursive: true }));
  const data = join(folder, 'data');
  const port = await findFreePort();
  const options = { cwd: folder, ...(process.getuid?.() === 0 && userOf('nobody')) };
  await run(
    'initdb',
    ['--pgdata', data, '--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C'],
    options,
  );
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off`;
  await run(
    'pg_ctl',
    ['start', '--wait', '--pgdata', data, '--log', join(folder, 'log'), '--options', settings],
    options,
  );
  t.teardown(() => run('pg_ctl', ['stop', '--wait', '--mode=immediate', '--pgdata', data], options));
  return `postgresql://postgres@127.0.0.1:${port}/postgres`;
}

/** The ids of a user to run the server as, since PostgreSQL refuses to run as root. */
function userOf(name: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
