// make-template FOLDER: makes the archive of a new database that a first start unpacks (src/embedded/template.ts).
// Takes it from dist/ if it is there already, because making one takes 8 s. Removes the other templates of the folder.
import { chmod, copyFile, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadConfig } from '../src/config.js';
import { connectDatabase } from '../src/database/connect.js';
import { migrate } from '../src/database/migrate.js';
import { writeArchive } from '../src/embedded/archive.js';
import { exists } from '../src/embedded/data-folder.js';
import { nameOfTemplate } from '../src/embedded/template.js';
import { packageRoot } from '../src/package-root.js';

const folder = resolve(process.argv[2] ?? 'dist');
const name = await nameOfTemplate();
const file = join(folder, name);
const built = join(packageRoot, 'dist', name);

if (!(await exists(file))) {
  if (await exists(built)) await copy(built, file);
  else await make(file);
}
for (const other of await readdir(folder)) {
  if (/^database-.*\.tar\.gz/.test(other) && other !== name) await rm(join(folder, other), { force: true });
}

async function copy(from: string, to: string): Promise<void> {
  await copyFile(from, `${to}.partial`);
  await rename(`${to}.partial`, to);
}

async function make(file: string): Promise<void> {
  const log = { info() {}, warn() {} };
  const dataDir = await mkdtemp(join(tmpdir(), 'port-allocator-template-'));
  try {
    const database = await connectDatabase(loadConfig({ DATA_DIR: dataDir }), log);
    await migrate(database, log);
    await database.close();
    await writeArchive(dataDir, file);
    await chmod(file, 0o644); // it holds no secret, and whoever runs the service has to read it
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}
