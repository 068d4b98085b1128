import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { readHolder } from '../../src/embedded/holder.js';
import { type Reply, type Service, startProcess } from './service.js';

/** Sends one request to a socket, on a connection of its own. Rejects if no answer comes. */
export async function askSocket(
  path: string,
  method: string,
  url: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const sent = request({
    socketPath: path,
    method,
    path: url,
    agent: false,
    headers: { host: 'localhost', ...(body && { 'content-type': 'application/json' }), ...headers },
  });
  sent.end(body && JSON.stringify(body));
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const content = await text(answer);
  const isJson = /json/.test(answer.headers['content-type'] ?? '');
  return {
    status: answer.statusCode as number,
    body: isJson ? JSON.parse(content) : content,
    headers: new Headers(answer.headers as Record<string, string>),
  };
}

/** Waits until the service of a data folder has announced its socket. */
export async function findSocket(dataDir: string, patienceMs = 60_000): Promise<string> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const path = (await readHolder(dataDir))?.path;
    if (path !== undefined) return path;
    if (Date.now() >= deadline) throw new Error(`no service has announced itself in ${dataDir}`);
    await sleep(20);
  }
}

/** Starts a background service as a client does. It is killed when the test ends. */
export function startInBackground(t: Test, dataDir: string, ...args: string[]) {
  return startProcess(t, 'src/main.js', { DATA_DIR: dataDir }, ['--background', ...args]);
}

/**
 * Calls whichever service has the data folder, as clients do: a request that met none is sent again. Rejects if an
 * answer breaks off, because then a client could not know whether the request was executed.
 */
export function callOverSocket(dataDir: string): Service['call'] {
  return async (method, path, body, { headers = {} } = {}) => {
    for (;;) {
      const socket = await findSocket(dataDir);
      try {
        return await askSocket(socket, method, path, body, headers);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).syscall !== 'connect') throw error;
        await sleep(20);
      }
    }
  };
}
