import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { lockDataDir } from '../../src/embedded/data-dir-lock.js';
import { openEmbedded } from '../../src/embedded/pglite.js';
import { findTemplate } from '../../src/embedded/template.js';
import { makeDataDir } from '../helpers/database.js';

const FACTS = {
  databases: 'select datname, encoding, datlocprovider, datcollate, datctype, datallowconn from pg_database order by 1',
  roles: 'select rolname, rolsuper, rolcanlogin from pg_roles order by 1',
  settings:
    "select name, setting from pg_settings where name not like '%directory%' and name <> 'config_file' order by 1",
};

async function open(dataDir: string, template?: typeof findTemplate) {
  const { pool, close } = await openEmbedded(dataDir, lockDataDir, template);
  const facts: Record<string, unknown> = {};
  for (const [name, query] of Object.entries(FACTS)) facts[name] = (await pool.query(query)).rows;
  const { rows } = await pool.query("select to_regclass('port_allocator_migrations') is not null as migrated");
  const ranges = rows[0].migrated ? (await pool.query('select from port_ranges')).rowCount : null;
  await pool.end();
  await close();
  return { facts, ranges };
}

t.test('a new database is the template: migrated, not seeded, and closed to other users', async (t) => {
  const dataDir = await makeDataDir(t);
  t.equal((await open(dataDir)).ranges, 0);
  const paths = await readdir(dataDir, { recursive: true });
  t.ok(paths.length > 900);
  for (const path of paths) t.equal((await lstat(join(dataDir, path))).mode & 0o077, 0, path);
});

t.test('where the template is damaged, or there is none, initdb creates the same', async (t) => {
  const { facts } = await open(await makeDataDir(t));
  const dataDir = await makeDataDir(t);
  const damaged = join(await makeDataDir(t), 'database.tar.gz');
  const whole = await readFile((await findTemplate()) as string);
  await writeFile(damaged, whole.subarray(0, whole.length / 2));
  const created = await open(dataDir, async () => damaged);
  t.same(created, { facts, ranges: null }, 'without the tables, which the migrations create');
  t.same(
    (await readdir(dataDir)).filter((name) => name.startsWith('.')),
    [],
  );
});
