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
import { BODY_LIMIT_BYTES, registerBodies } from '../plugins/json.js';
import { toHttpRefusal } from '../plugins/problems.js';
import type { KeyedRequest } from './tool.js';
import type { CallToolWithKey } from './tools.js';

/**
 * How long a starting service waits for a living holder: to say where it serves, for opening a new database took 37 s
 * on a busy machine; then to answer what is under way and to close; or, for a script, to end.
 */
const HANDOVER_MS = 120_000;
const HANDOVER_POLL_MS = 50;
const YIELD_LIMIT_MS = 5000;

export interface PeerServer {
  /** Refuses new calls, answers those under way. */
  close(): Promise<void>;
}

/**
 * Serves tool calls to the other processes of this user, for the holder of the data directory's lock: on
 * loopback, under a token that stands in a file which only the user reads.
 * @param onYield gives the data directory up; null for a service, which keeps it
 */
export async function servePeers(
  dataDir: string,
  callTool: CallToolWithKey,
  onYield: (() => void) | null,
): Promise<PeerServer> {
  const token = randomBytes(32).toString('base64url');
  const app = Fastify({ bodyLimit: 2 * BODY_LIMIT_BYTES, forceCloseConnections: 'idle' });
  app.addHook('onRequest', async (request, reply) => {
    if (!isSame(request.headers.authorization ?? '', `Bearer ${token}`)) return reply.code(401).send();
  });
  registerBodies(app);
  app.setErrorHandler((error, _request, reply) => reply.code(toHttpRefusal(error).status).send());
  app.post<{ Body: Omit<KeyedRequest, 'signal'> }>('/call', async ({ body }, reply) => {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
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
      await closeServer(app, null); // a call may be an audit, which takes as long as it takes
    },
  };
}

export type PassedOn =
  | { outcome: 'answered'; result: CallToolResult }
  /** It was not executed, and never will be. */
  | { outcome: 'refused'; refusal: AppError }
  /** It was surely not executed, and may be elsewhere or later. */
  | { outcome: 'not-executed' }
  /** It was sent, and no answer came back. */
  | { outcome: 'unknown' };

/** What the holder answers to a call that it does not read; an older or newer one may have other limits. */
const REFUSED: { [status: number]: AppError } = {
  400: new AppError('validation-failed', 'The process that has the registry open cannot read this call.'),
  413: new AppError('payload-too-large', 'The process that has the registry open takes no call of this size.'),
};
/** A former holder's token, and a holder that closes. */
const NOT_EXECUTED = [401, 503];

/** An audit takes as long as it takes; by itself, fetch gives up after five minutes without an answer. */
const patient = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

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
    // Any other status is an error there, or of a stranger who got the port of a holder that died.
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
 * Opens what needs the data directory's lock. A stdio process that has it is asked to give it up, and no other takes
 * it meanwhile; their calls come to the service from then on. Another service is left alone.
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
      if (endpoint) await post(endpoint, '/yield', AbortSignal.timeout(YIELD_LIMIT_MS)).catch(() => {}); // it may be gone
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
    dispatcher: patient,
  });
}

/** In constant time. */
function isSame(given: string, expected: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(expected));
}
