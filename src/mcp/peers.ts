import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { CallToolResult } from '@modelcontextprotocol/server';
import Fastify from 'fastify';
import { Agent, fetch, type Response } from 'undici';
import { closeServer } from '../close-server.js';
import type { Config } from '../config.js';
import { connectDatabase, type Database, type Log } from '../database/connect.js';
import {
  announce,
  awaitDataDir,
  type DataDirLock,
  DataDirLockedError,
  type PeerEndpoint,
} from '../embedded/data-dir-lock.js';
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
 * this. It listens on loopback, and requires a token that is in a file which only this user can read.
 * @param onYield called to release the lock for a service that starts; null in a service, which keeps the lock
 */
export async function servePeers(
  dataDir: string,
  callTool: CallToolWithKey,
  onYield: (() => void) | null,
): Promise<PeerServer> {
  const token = randomBytes(32).toString('base64url');
  const app = Fastify({
    bodyLimit: 2 * BODY_LIMIT_BYTES,
    forceCloseConnections: 'idle',
    // Names that reach a prototype are refused by the tools themselves, and the refusal says so.
    onProtoPoisoning: 'ignore',
    onConstructorPoisoning: 'ignore',
  });
  app.addHook('onRequest', async (request, reply) => {
    if (!isSame(request.headers.authorization ?? '', `Bearer ${token}`)) return reply.code(401).send();
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
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  await announce(dataDir, { url, token, yields: onYield !== null });
  return {
    async close() {
      await announce(dataDir); // first, so that no process is sent here after the server has stopped listening
      await closeServer(app, null); // waits without a limit, because a call may be an audit
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
/** Answered before the call is executed: 401 to the token of an earlier process, and 503 by a process that closes. */
const NOT_EXECUTED = [401, 503];

/** Without timeouts, because an audit may take longer than the five minutes after which fetch gives up by default. */
const withoutTimeout = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

/** Passes a call on to the process that has the registry open. */
export async function passOn(
  endpoint: PeerEndpoint,
  { signal, ...call }: KeyedRequest,
  timeoutMs: number,
): Promise<PassedOn> {
  try {
    const answer = await post(endpoint, '/call', AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]), call);
    if (answer.status === 200) return { outcome: 'answered', result: (await answer.json()) as CallToolResult };
    await answer.body?.cancel();
    const refusal = REFUSED[answer.status];
    if (refusal) return { outcome: 'refused', refusal };
    // Any other status is an unexpected error, or comes from a program that got the port of a process that has died.
    return { outcome: NOT_EXECUTED.includes(answer.status) ? 'not-executed' : 'unknown' };
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as { code?: string };
    return { outcome: code === 'ECONNREFUSED' ? 'not-executed' : 'unknown' };
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
      if (endpoint) await post(endpoint, '/yield', AbortSignal.timeout(YIELD_LIMIT_MS)).catch(() => {}); // may have ended
      await setTimeout(HANDOVER_POLL_MS);
    }
  } finally {
    await turn?.release();
  }
}

async function orLocked<T>(open: () => Promise<T>): Promise<T | DataDirLockedError> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof DataDirLockedError) return error;
    throw error;
  }
}

function post({ url, token }: PeerEndpoint, path: string, signal: AbortSignal, body: object = {}): Promise<Response> {
  return fetch(url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
    dispatcher: withoutTimeout,
  });
}

/** Compares in a time that does not depend on where the texts differ. */
function isSame(given: string, expected: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(expected));
}
