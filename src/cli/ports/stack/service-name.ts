import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ClientFailure } from '../../../client/failure.js';
import type { Detected } from '../../../detection/detect.js';
import { toSlug } from '../../../input/slug.js';
import { requireServiceName } from '../../arguments.js';

/** What a stack of one service is called where nothing names it. */
const USUAL_NAME = 'web';

/**
 * The service that a command is about: the one that it is given, or else the only one of the manifest. Without a manifest
 * it is `web`, and in a package of a monorepo the package's name, because its packages would all get the same port
 * otherwise.
 * @throws ClientFailure usage, for a name that is none, and for one that the manifest does not have: a port that is got
 * for a misspelt name is one that nobody uses
 */
export async function chooseService(given: string | undefined, here: Detected, folder: string): Promise<string> {
  const { manifest } = here;
  if (given !== undefined) await requireServiceName(given);
  if (manifest === null || manifest.services.length === 0)
    return given ?? findPackageName(folder, here.path) ?? USUAL_NAME;
  const names = manifest.services.map(({ service }) => service);
  if (given === undefined && names.length === 1) return names[0] as string;
  if (given !== undefined && names.includes(given)) return given;
  if (given === undefined) {
    throw new ClientFailure('usage', `Which service? ${manifest.file} has ${names.join(', ')}.`, 'Name one of them.');
  }
  const { findClosest } = await import('../../../input/closest.js');
  const [closest] = findClosest(given, names, 1);
  throw new ClientFailure(
    'usage',
    `${manifest.file} has no service ${given}. It has ${names.join(', ')}.`,
    `${closest === undefined ? '' : `Did you mean ${closest}? `}Name one of them, or add ${given} to the file.`,
  );
}

/** The name of the nearest package below the root of the working tree, without its scope. */
function findPackageName(folder: string, root: string): string | null {
  for (let place = folder; place.startsWith(join(root, '/')); place = dirname(place)) {
    const file = join(place, 'package.json');
    if (existsSync(file))
      return toSlug(readName(file)?.replace(/^@[^/]*\//, '') || (place.split(/[/\\]/).at(-1) as string));
  }
  return null;
}

/** @returns null for a package.json without a name, or one that cannot be read */
function readName(file: string): string | null {
  try {
    const { name } = JSON.parse(readFileSync(file, 'utf8'));
    return typeof name === 'string' ? name : null;
  } catch {
    return null;
  }
}
