import { StartError } from './errors.js';

/**
 * Why a process of this package could not start, for its user: the sentence of a StartError, which was made where the
 * error's reason was known, or else the stack.
 */
export function describeStartError(error: unknown): string {
  if (error instanceof StartError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * For errors of `listen`.
 * @throws StartError
 */
export function cannotListen(error: NodeJS.ErrnoException & { port?: number }): never {
  if (error.code === 'EADDRINUSE') {
    throw new StartError(
      `PORT: ${error.port} is taken. Another Port Allocator may be running already; if it is something else, set PORT to a free port.`,
      { cause: error },
    );
  }
  if (error.syscall === undefined) throw error; // Fastify's own, which are no fault of HOST or PORT
  throw new StartError(`HOST, PORT: cannot listen there: ${error.message}`, { cause: error });
}
