import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { type AgentsFolder, detectAgentsFolder, tellAgent } from '../detection/agents-folder.js';
import { FolderProblem } from '../detection/folder-problem.js';
import { noFolder } from './folder.js';

/** 4 MiB of YAML take seconds, in which the service would answer nobody. This has room for 1000 services. */
const MAX_MANIFEST_BYTES = 64 * 1024;
/** Reading a folder takes 20 ms. */
const READ_TIMEOUT_MS = 15_000;
/**
 * A folder on a network drive whose server is gone keeps one of Node's four threads for files and names, until the
 * server is back. Two folders are read at a time, so that two threads remain for everything else that the service does.
 * It also bounds the processes of git.
 */
const AT_A_TIME = 2;

/** Reads a folder of this machine. @throws AppError validation-failed for a folder of which nothing can be said */
export type ReadHere = (cwd: string) => Promise<AgentsFolder>;

/** The reading of a folder that has not begun yet. */
interface Waiting {
  folder: Promise<AgentsFolder | null>;
  /** How many wait for it. */
  callers: number;
}

export function openFolderReader(): ReadHere {
  const inTurn = pLimit(AT_A_TIME);
  /** By folder. Whoever names the same folder before its reading has begun shares it, and learns what is there now. */
  const waiting = new Map<string, Waiting>();

  const join = (cwd: string): Waiting => {
    const known = waiting.get(cwd);
    if (known) return known;
    const folder = inTurn(async () => {
      waiting.delete(cwd);
      return reading.callers > 0 ? detectAgentsFolder({ folder: cwd, maxManifestBytes: MAX_MANIFEST_BYTES }) : null;
    });
    folder.catch(() => {}); // all who wait may have given up
    const reading: Waiting = { folder, callers: 0 };
    waiting.set(cwd, reading);
    return reading;
  };

  return async (cwd) => {
    const ended = new AbortController();
    const reading = join(cwd);
    reading.callers += 1;
    try {
      const folder = await Promise.race([reading.folder, sleep(READ_TIMEOUT_MS, null, { signal: ended.signal })]);
      if (folder !== null) return folder;
      throw new FolderProblem(`${cwd} was not read within ${READ_TIMEOUT_MS / 1000} s.`, 'Call again');
    } catch (error) {
      if (!(error instanceof FolderProblem)) throw error;
      throw noFolder(tellAgent(error));
    } finally {
      reading.callers -= 1;
      ended.abort();
    }
  };
}
