import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Config } from '../config.js';
import { StartError } from '../errors.js';

/** How long whoever listens on the port may take to say what it is. */
const IDENTIFY_TIMEOUT_MS = 1000;

type Address = Pick<Config, 'host' | 'port'>;

/**
 * Listens on HOST and PORT for a moment. A service does so before it creates a database or takes one over, which may
 * take seconds. Should another program take the port meanwhile, `listen` fails with the same message.
 * @throws StartError
 */
export async function requireFreePort({ host, port }: Address): Promise<void> {
  const server = createServer();
  try {
    server.listen({ host, port });
    await once(server, 'listening');
  } catch (error) {
    await cannotListen(error as NodeJS.ErrnoException, { host, port });
  }
  server.close();
  await once(server, 'close');
}

/**
 * For errors of `listen`.
 * @throws StartError
 */
export async function cannotListen(error: NodeJS.ErrnoException, { host, port }: Address): Promise<never> {
  if (error.syscall === undefined) throw error; // Fastify's own, which are no fault of HOST or PORT
  if (error.code !== 'EADDRINUSE') {
    throw new StartError(`HOST, PORT: cannot listen there: ${error.message}`, { cause: error });
  }
  const url = urlFrom(host, port);
  const message = (await isPortAllocator(url))
    ? `PORT: another Port Allocator is running on ${port} already.\nUse the one that is running: ${url}. Or give this ` +
      'one a PORT and a DATA_DIR of its own.'
    : `PORT: ${port} is taken by another program.\nSet PORT to a free port, or stop that program.`;
  throw new StartError(message, { cause: error });
}

/** Where a program that listens on HOST is reached from this machine. */
export function urlFrom(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/**
 * The dashboard's page needs no key and takes no time. `fetch` cannot be used: like a browser it refuses some ports, such
 * as 6000 and 10080.
 */
async function isPortAllocator(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(IDENTIFY_TIMEOUT_MS);
    const [answer] = (await once(get(url, { signal, agent: false }), 'response')) as [IncomingMessage];
    return (await text(answer)).includes('<title>Port Allocator</title>');
  } catch {
    return false;
  }
}
