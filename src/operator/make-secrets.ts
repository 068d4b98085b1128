// make-secrets FOLDER: makes the secrets of deploy/compose.yaml before its first start. Secrets that exist already are
// kept. The folder's group may read them.
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DATABASE = { user: 'port_allocator', host: 'postgres', name: 'port_allocator' };
const SECRET_BYTES = 32;

const folder = process.argv[2] ?? '.';
chmodSync(folder, 0o750);

function make(name: string, content: string): void {
  const path = join(folder, name);
  if (existsSync(path)) return;
  rmSync(`${path}.new`, { force: true }); // left by a process that was killed
  writeFileSync(`${path}.new`, content, { mode: 0o640, flag: 'wx' }); // never through a link
  renameSync(`${path}.new`, path); // so that a file under its final name is always complete
  process.stdout.write(`made ${path}\n`);
}

make('postgres-password', randomBytes(SECRET_BYTES).toString('hex'));
make('admin-api-key', randomBytes(SECRET_BYTES).toString('hex'));
const password = readFileSync(join(folder, 'postgres-password'), 'utf8').trim();
make('database-url', `postgresql://${DATABASE.user}:${encodeURIComponent(password)}@${DATABASE.host}/${DATABASE.name}`);
