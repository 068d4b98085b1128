import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../package-root.js';
import { readArchive } from './archive.js';
import { exists } from './data-folder.js';

/**
 * The build makes an archive of a new database to which all migrations are applied, and a first start unpacks it. Its
 * name contains a hash of what it was made of, for example `database-2f1c….tar.gz`. So an archive of other migrations or
 * of another PGlite is not found, and the database is then created without one.
 */
export async function nameOfTemplate(): Promise<string> {
  const hash = createHash('sha256');
  const { dependencies } = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8'));
  hash.update(dependencies['@electric-sql/pglite']); // an exact version
  const migrations = join(packageRoot, 'migrations');
  for (const name of (await readdir(migrations)).filter((file) => file.endsWith('.sql')).sort()) {
    hash.update(`\0${name}\0`).update(await readFile(join(migrations, name)));
  }
  return `database-${hash.digest('hex').slice(0, 16)}.tar.gz`;
}

/** @returns the path of the template, or null if the build has made none of these migrations */
export async function findTemplate(): Promise<string | null> {
  const template = join(packageRoot, 'dist', await nameOfTemplate());
  return (await exists(template)) ? template : null;
}

/**
 * Unpacks the template into an empty folder of this user.
 * @returns false if it is damaged or cannot be read; the folder is empty then
 */
export async function unpackTemplate(template: string, folder: string): Promise<boolean> {
  try {
    readArchive(template, folder);
    return true;
  } catch {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o700 });
    return false;
  }
}
