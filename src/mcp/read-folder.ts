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

export function openFolderReader(): ReadHere {
  const inTurn = pLimit(AT_A_TIME);
  return async (cwd) => {
    const question = { folder: cwd, maxManifestBytes: MAX_MANIFEST_BYTES };
    const ended = new AbortController();
    try {
      const detecting = inTurn(async () => (ended.signal.aborted ? null : await detectAgentsFolder(question)));
      const folder = await Promise.race([detecting, sleep(READ_TIMEOUT_MS, null, { signal: ended.signal })]);
      if (folder !== null) return folder;
      throw new FolderProblem(`${cwd} was not read within ${READ_TIMEOUT_MS / 1000} s.`, 'Call again');
    } catch (error) {
      if (!(error instanceof FolderProblem)) throw error;
      throw noFolder(tellAgent(error));
    } finally {
      ended.abort();
    }
  };
}
