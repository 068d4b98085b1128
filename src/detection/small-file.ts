import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join } from 'node:path';

const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

/** Whether a path is that of a folder, or of something in it. */
export const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(join(folder, '/'));

/**
 * Finds the file that a path leads to. Git brings links along, and an agent may name a folder that it has only
 * downloaded: a link to `/proc/self/environ` would tell it the secrets of the service.
 * @param root the folder within which a link counts
 * @returns null for a link that leaves it
 */
export async function findWithin(path: string, root: string): Promise<string | null> {
  const real = await realpath(path);
  return isWithin(real, await realpath(root)) ? real : null;
}

/**
 * Reads a file as text, and no more of it than is asked for: what the system shows as files has the size 0, and may have
 * no end.
 * @param path without links
 * @returns null if it has more bytes, and if it is no regular file
 */
export async function readSmallFile(path: string, maxBytes: number): Promise<string | null> {
  // A pipe that takes the place of the file would otherwise be waited for.
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) return null;
    const chunks: Buffer[] = await file.createReadStream({ end: maxBytes, autoClose: false }).toArray();
    const bytes = Buffer.concat(chunks);
    return bytes.length > maxBytes ? null : bytes.toString();
  } finally {
    await file.close();
  }
}
