import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, sep } from 'node:path';
import type { Listener } from './listener.js';

/**
 * Programs that listen for somebody else, and whose own folder therefore tells nothing: those that forward the port of
 * a container or of a virtual machine, and tunnels. Their names may go on (`passt.avx2`, `com.docker.backend`).
 */
const FORWARDERS =
  /^(docker-proxy|com\.docker|rootlessport|rootlesskit|slirp4netns|pasta|passt|gvproxy|vpnkit|wslrelay|conmon|sshd?)\b/i;

export const isForwarder = ({ process }: Pick<Listener, 'process'>): boolean =>
  process !== null && FORWARDERS.test(process);

/**
 * Whether a process is known to be no part of the stack in a folder: its own working folder is neither that one nor
 * below it. A process whose folder cannot be read, that lives in `/` as daemons do, or that forwards, is not judged.
 * @param folder as `toRealPath` answers it
 */
export function isStranger(listener: Pick<Listener, 'process' | 'path'>, folder: string): boolean {
  const { path } = listener;
  if (path === null || path === sep || !isAbsolute(path) || isForwarder(listener)) return false;
  return !isWithin(path, folder);
}

/** Whether a path is a folder or below it. */
export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way); // absolute: on another drive of Windows
}

/** The path without symbolic links, as working folders are known; as it is if there is no such folder here. */
export const toRealPath = (path: string): Promise<string> => realpath(path).catch(() => path);
