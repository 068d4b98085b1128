import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FolderProblem } from '../folder-problem.js';
import { findWithin, isWithin, readSmallFile } from '../small-file.js';
import type { ManifestContent } from './content.js';

const FILE_NAME = 'ports.yaml';
/** What people write where they mean `ports.yaml`. It is not read, and would otherwise be missed without a word. */
const MISSPELT = ['ports.yml', '.ports.yaml', '.ports.yml'];

/** A thousand services with all that can be said of each have less. */
const MAX_BYTES = 4 * 1024 * 1024;

/** A fault may name what has the length of the file. */
const MAX_FAULT_LENGTH = 500;

export interface ManifestBounds {
  maxBytes?: number | undefined;
  /** How many faults are told. How many more there are is told too. */
  maxFaults?: number | undefined;
}

export interface Manifest extends ManifestContent {
  /** An absolute path. */
  file: string;
  folder: string;
}

/**
 * Finds and reads the nearest `ports.yaml` at or above a folder. Files are looked at one after the other, because one may
 * lead to a network drive whose server is gone: it keeps one of Node's four threads for files, and the others are free.
 * @param folder with symbolic links resolved
 * @param findTopLevel finds the folder of the working tree that the folder is in. It is called only where there is a file
 * @throws FolderProblem with the errors of the file
 */
export async function findManifest(
  folder: string,
  findTopLevel: () => Promise<string | null>,
  bounds: ManifestBounds = {},
): Promise<Manifest | null> {
  for (let place = folder; ; place = dirname(place)) {
    const findWorkingTree = async () => {
      const found = await findTopLevel();
      return found !== null && isWithin(place, found) ? found : null;
    };
    const has = (path: string) => isThere(path, folder, findWorkingTree);
    const file = join(place, FILE_NAME);
    if (await has(file)) {
      const text = await readText(file, (await findWorkingTree()) ?? place, bounds.maxBytes ?? MAX_BYTES);
      return { file, folder: place, ...(await readManifest(file, text, bounds.maxFaults)) };
    }
    for (const misspelt of MISSPELT.map((name) => join(place, name))) {
      if (await has(misspelt)) throw new FolderProblem(`${misspelt} is not read.`, `Rename it to ${FILE_NAME}`);
    }
    if (place === dirname(place)) return null;
  }
}

/**
 * Reads the text of a manifest.
 * @param file whose text it is, for messages
 * @throws FolderProblem with the errors of the text: a line for each
 */
export async function readManifest(
  file: string,
  text: string,
  maxFaults = Number.POSITIVE_INFINITY,
): Promise<ManifestContent> {
  // Loaded only where there is a manifest, because the library for YAML takes 30 ms.
  const { checkManifest } = await import('./check.js');
  const { content, faults } = checkManifest(text);
  if (faults.length === 0) return content;
  const findings = await import('../../input/findings.js');
  const lines = faults
    .slice(0, maxFaults)
    .map(({ line, column, tell }) => `${file}:${line}:${column}: ${shorten(tell(findings))}`);
  if (faults.length > maxFaults) lines.push(`Further errors in it: ${faults.length - maxFaults}.`);
  throw new FolderProblem(lines.join('\n'), `Correct ${faults.length === 1 ? 'this' : 'these'} in the file`);
}

/** Leaves out the middle, because the rule is at the end. */
function shorten(text: string): string {
  if (text.length <= MAX_FAULT_LENGTH) return text;
  const half = MAX_FAULT_LENGTH / 2;
  return `${text.slice(0, half)} … ${text.slice(-half)}`.toWellFormed();
}

/**
 * Tells whether there is a regular file that counts. It is looked at before it is opened, because anybody may put a pipe,
 * or a file that nobody else may read, into a folder above such as `/tmp`.
 */
async function isThere(path: string, folder: string, findWorkingTree: () => Promise<string | null>): Promise<boolean> {
  // Nothing is there also where it cannot be looked at, because the folder that it is in is closed to this user.
  const file = await stat(path).catch(() => null);
  if (!file?.isFile()) return false;
  return (await findWorkingTree()) !== null || (await isTrusted(file, folder));
}

/** @param root the folder within which a link counts */
async function readText(path: string, root: string, maxBytes: number): Promise<string> {
  const found = await findWithin(path, root).catch(unreadable);
  if (found === null)
    throw new FolderProblem(
      `${path} is a link that leads out of ${root}, and is not read.`,
      'Put the file there itself',
    );
  const text = await readSmallFile(found, maxBytes).catch(unreadable);
  if (text !== null) return text;
  throw new FolderProblem(`${path} is larger than ${maxBytes / 1024} KiB.`, 'Shorten it, or move it away');

  function unreadable({ message }: Error): never {
    throw new FolderProblem(`${path} cannot be read: ${message}.`, 'Make it readable, or move it away');
  }
}

/**
 * Outside of a repository a manifest counts only if it belongs to this user, to root, or to the owner of the current
 * folder. It sets variables of what the user runs, so nobody else may put one into a folder above, `/tmp` for example.
 */
async function isTrusted({ uid }: Stats, folder: string): Promise<boolean> {
  const user = process.getuid?.();
  return user === undefined || [user, 0].includes(uid) || (await stat(folder)).uid === uid;
}
