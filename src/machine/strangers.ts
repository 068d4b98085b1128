import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, sep } from 'node:path';
import { isForwarder } from './forwarders.js';
import type { Listener } from './listener.js';

/**
 * Whether a process is known to be no part of the stack in a folder: its own working folder is neither that one nor
 * below it. A process whose folder cannot be read, that lives in `/` as daemons do, or that forwards, is not judged.
 * @param folder as `toRealPath` answers it
 */
export function isStranger({ process, path }: Pick<Listener, 'process' | 'path'>, folder: string): boolean {
  if (path === null || path === sep || !isAbsolute(path) || (process !== null && isForwarder(process))) return false;
  return !isWithin(path, folder);
}

/** Whether a path is a folder or below it. */
export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way); // absolute: on another drive of Windows
}

/** The path without symbolic links, as working folders are known; as it is if there is no such folder here. */
export const toRealPath = (path: string): Promise<string> => realpath(path).catch(() => path);
