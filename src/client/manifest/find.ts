import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ClientFailure } from '../failure.js';
import type { ManifestContent } from './content.js';

const FILE_NAME = 'ports.yaml';
/** What people write where they mean `ports.yaml`. It is not read, and would otherwise be missed without a word. */
const MISSPELT = ['ports.yml', '.ports.yaml', '.ports.yml'];

export interface Manifest extends ManifestContent {
  /** An absolute path. */
  file: string;
  folder: string;
}

/**
 * Finds and reads the nearest `ports.yaml` at or above a folder.
 * @param folder with symbolic links resolved
 * @param topLevel of the working tree that the folder is in
 * @throws ClientFailure usage, with every error of the file
 */
export async function findManifest(folder: string, topLevel: string | null): Promise<Manifest | null> {
  for (let place = folder; ; place = dirname(place)) {
    const file = join(place, FILE_NAME);
    const text = readIfThere(file);
    if (text !== null && (isWithin(place, topLevel) || isTrusted(file, folder))) {
      return { file, folder: place, ...(await readManifest(file, text)) };
    }
    const misspelt = text === null && MISSPELT.find((name) => existsSync(join(place, name)));
    if (misspelt)
      throw new ClientFailure('usage', `${join(place, misspelt)} is not read.`, `Rename it to ${FILE_NAME}.`);
    if (place === dirname(place)) return null;
  }
}

/**
 * Reads the text of a manifest.
 * @param file whose text it is, for messages
 * @throws ClientFailure usage, with every error of the text: a line for each
 */
export async function readManifest(file: string, text: string): Promise<ManifestContent> {
  // Loaded only where there is a manifest, because the library for YAML takes 30 ms.
  const { checkManifest } = await import('./check.js');
  const { content, faults } = checkManifest(text);
  if (faults.length === 0) return content;
  const findings = await import('../../input/findings.js');
  const lines = faults.map(({ line, column, tell }) => `${file}:${line}:${column}: ${tell(findings)}`);
  throw new ClientFailure('usage', lines.join('\n'), `Correct ${faults.length === 1 ? 'this' : 'these'} in the file.`);
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return null;
    throw new ClientFailure('usage', `${file} cannot be read: ${message}.`, 'Make it readable, or move it away.');
  }
}

const isWithin = (place: string, topLevel: string | null): boolean =>
  topLevel !== null && (place === topLevel || place.startsWith(join(topLevel, '/')));

/**
 * Outside of a repository a manifest counts only if it belongs to this user, to root, or to the owner of the current
 * folder. It sets variables of what the user runs, so nobody else may put one into a folder above, `/tmp` for example.
 */
function isTrusted(file: string, folder: string): boolean {
  const user = process.getuid?.();
  if (user === undefined) return true;
  return [user, 0, statSync(folder).uid].includes(statSync(file).uid);
}
