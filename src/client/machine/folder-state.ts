import { lstat } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';

/** Folders in which disks and shares are mounted under their own names. Unmounting removes such a name, or empties it. */
const MOUNT_POINTS = /^(\/mnt|\/media(\/[^/]+)?|\/run\/media(\/[^/]+)?|\/Volumes|\/net(\/[^/]+)?)$/;

/**
 * Whether a folder that was seen on this machine has been removed since.
 *
 * That it is not found is not enough, because a disk may be unmounted. But to remove or move a folder changes its parent
 * at that moment. So it counts as removed only if its parent was there before the folder was seen, is still there, and
 * has changed since. The empty folder on which a disk was mounted has not changed, or was made anew.
 * @param seenAt when it is known to have been there
 * @returns unknown: it is not found, and need not have been removed; or it cannot be looked at
 */
export async function readFolderState(path: string, seenAt: Date): Promise<'there' | 'removed' | 'unknown'> {
  if (!isAbsolute(path)) return 'unknown'; // written by a client on another system
  try {
    await lstat(path);
    return 'there';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return 'unknown';
  }
  const parent = dirname(path);
  if (MOUNT_POINTS.test(parent)) return 'unknown';
  try {
    const { birthtimeMs, mtimeMs } = await lstat(parent);
    const seenMs = seenAt.getTime();
    return birthtimeMs <= seenMs && seenMs < mtimeMs ? 'removed' : 'unknown';
  } catch {
    return 'unknown';
  }
}
