import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { makeDataDir } from './database.js';

/** Makes a folder of a project, outside of any repository, with these files in it. */
export async function makeFolder(t: Test, files: Record<string, string> = {}): Promise<string> {
  const folder = await realpath(await makeDataDir(t));
  for (const [name, text] of Object.entries({ 'package.json': '{ "name": "shop" }', ...files })) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}
