import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import type { CallToolResult } from '@modelcontextprotocol/server';
import Fastify from 'fastify';
import { closeServer } from '../close-server.js';
import type { Config } from '../config.js';
import { connectDatabase, type Database, type Log } from '../database/connect.js';
import { awaitDataDir, type DataDirLock, DataDirLockedError } from '../embedded/data-dir-lock.js';
import { explainingDataDir } from '../embedded/data-folder.js';
import { announce, type PeerEndpoint } from '../embedded/holder.js';
import { isOwnSocket, listenPrivately, removeSocket } from '../embedded/socket.js';
import { AppError } from '../errors.js';
import { toHttpRefusal } from '../plugins/problems.js';
import { BODY_LIMIT_BYTES } from '../schemas/validation.js';
import { whenClosed } from '../when-closed.js';
import type { KeyedRequest } from './tool.js';
import type { CallToolWithKey } from './tools.js';

/**
 * How long a starting service waits for a living process that holds the lock. A stdio process may still be opening a
 * new database, which took 37 s on a busy machine, and then has to answer the calls under way and to close. A script
 * has to end.
 */
const HANDOVER_MS = 120_000;
const HANDOVER_POLL_MS = 50;
const YIELD_LIMIT_MS = 5000;

export interface PeerServer {
  /** Refuses new calls, and waits until those under way are answered. */
  close(): Promise<void>;
}

/**
 * Executes tool calls for the other processes of this user. Only the process that holds the data directory's lock does
 * this. It listens on a socket that no other user can connect to; see `listenPrivately`.
 * @param onYield called to release the lock for a service that starts; null in a service, which keeps the lock
 */
export async function servePeers(
  dataDir: string,
  callTool: CallToolWithKey,
  onYield: (() => void) | null,
): Promise<PeerServer> {
  const app = Fastify({
    bodyLimit: 2 * BODY_LIMIT_BYTES,
    forceCloseConnections: 'idle',
    // Names that reach a prototype are refused by the tools themselves, and the refusal says so.
    onProtoPoisoning: 'ignore',
    onConstructorPoisoning: 'ignore',
  });
  app.setErrorHandler((error, _request, reply) => reply.code(toHttpRefusal(error).status).send());
  app.post<{ Body: Omit<KeyedRequest, 'signal'> }>('/call', async ({ body }, reply) => {
    const gone = new AbortController();
    whenClosed(reply.raw, () => gone.abort());
    return callTool({ ...body, signal: gone.signal });
  });
  app.post('/yield', async (_request, reply) => {
    if (onYield === null) return reply.code(409).send();
    onYield();
    return reply.code(202).send();
  });
  const path = await explainingDataDir(() => listenPrivately(dataDir, (path) => app.listen({ path })));
  await announce(dataDir, { path, yields: onYield !== null });
  return {
    async close() {
      await announce(dataDir); // first, so that no process is sent here after the server has stopped listening
      await closeServer(app, null); // waits without a limit, because a call may be an audit
      await removeSocket(path);
    },
  };
}

export type PassedOn =
  | { outcome: 'answered'; result: CallToolResult }
  /** The call was not executed, and trying again makes no sense. */
  | { outcome: 'refused'; refusal: AppError }
  /** The call was certainly not executed. It may be tried again. */
  | { outcome: 'not-executed' }
  /** The call was sent, and no answer came back. */
  | { outcome: 'unknown' };

/**
 * By status, why the other process did not read a call. If it is an older or newer version, it may have other limits.
 */
const REFUSED: { [status: number]: AppError } = {
  400: new AppError('validation-failed', 'The process that has the registry open cannot read this call.'),
  413: new AppError('payload-too-large', 'The process that has the registry open takes no call of this size.'),
};

/** Passes a call on to the process that has the registry open. */
export async function passOn(
  endpoint: PeerEndpoint,
  { signal, ...call }: KeyedRequest,
  timeoutMs: number,
): Promise<PassedOn> {
  try {
    const answer = await post(endpoint, '/call', AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]), call);
    if (answer === null) return { outcome: 'not-executed' };
    if (answer.statusCode === 200) return { outcome: 'answered', result: (await json(answer)) as CallToolResult };
    answer.destroy();
    const refusal = REFUSED[answer.statusCode as number];
    if (refusal) return { outcome: 'refused', refusal };
    // A process that closes answers 503 before it executes anything. Any other status is an unexpected error.
    return { outcome: answer.statusCode === 503 ? 'not-executed' : 'unknown' };
  } catch {
    return { outcome: 'unknown' };
  }
}

/** Opens the database for a service or a script; see `takeOver`. */
export function connectForService(config: Config, log: Log): Promise<Database> {
  if (config.databaseUrl !== null) return connectDatabase(config, log);
  return takeOver(config.dataDir, () => connectDatabase(config, log));
}

/**
 * Opens something that needs the data directory's lock. If a stdio process holds the lock, it is asked to release it,
 * and no other stdio process takes it meanwhile. Their calls are executed by this service from then on. Another service
 * is not asked.
 * @throws DataDirLockedError when another service has the data directory, or somebody does not give it up in time
 */
export async function takeOver<T>(dataDir: string, open: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + HANDOVER_MS;
  let turn: DataDirLock | null = null;
  try {
    for (;;) {
      turn ??= await awaitDataDir(dataDir);
      const opened = turn ? await orLocked(open) : new DataDirLockedError(dataDir, null);
      if (!(opened instanceof DataDirLockedError)) return opened;
      const endpoint = opened.holder?.endpoint;
      if (endpoint?.yields === false || Date.now() >= deadline) throw opened;
      if (endpoint) await askToYield(endpoint);
      await setTimeout(HANDOVER_POLL_MS);
    }
  } finally {
    await turn?.release();
  }
}

async function askToYield(endpoint: PeerEndpoint): Promise<void> {
  const answer = await post(endpoint, '/yield', AbortSignal.timeout(YIELD_LIMIT_MS)).catch(() => null); // may have ended
  answer?.destroy();
}

async function orLocked<T>(open: () => Promise<T>): Promise<T | DataDirLockedError> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof DataDirLockedError) return error;
    throw error;
  }
}

/**
 * Sends a request to the process that has the registry open, on a connection of its own: one that is kept for the next
 * request may be closed by that process just when it is used again. There is no time limit but the signal.
 * @returns null if nothing was sent, because no process of this user listens there
 */
async function post(
  { path }: PeerEndpoint,
  url: string,
  signal: AbortSignal,
  body: object = {},
): Promise<IncomingMessage | null> {
  if (!(await isOwnSocket(path).catch(() => false))) return null;
  const headers = { 'content-type': 'application/json' };
  const sent = request({ socketPath: path, path: url, method: 'POST', headers, agent: false, signal });
  sent.end(JSON.stringify(body));
  try {
    const [answer] = await once(sent, 'response');
    return answer;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === 'connect') return null;
    throw error;
  } finally {
    sent.on('error', () => {}); // one that comes later also ends the answer, whose reader is told of it
  }
}
