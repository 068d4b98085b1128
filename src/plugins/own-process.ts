import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { RunningService } from '../embedded/running-service.js';

/** The process that serves a data folder, for other processes of the same user. */
export interface OwnProcess {
  local: {
    /** Whether a connection came in on the socket of the data folder, which nobody else can open. */
    has(socket: Socket): boolean;
    describe(): RunningService;
  };
  /** Ends the process as SIGTERM does. */
  end(): void;
}

const PATH = '/process';

/**
 * Answers `GET /process` and `DELETE /process` on the socket of the data folder: who serves it, and please end.
 * Neither needs a key, because whoever can open the socket can also send a signal to the process.
 *
 * This is a hook and no route, so that over TCP nothing of it is there: not even in what a refused method or a misspelt
 * path is answered with.
 */
export function registerOwnProcess(app: FastifyInstance, { local, end }: OwnProcess): void {
  app.addHook('onRequest', ({ method, url, raw }, reply, done) => {
    if (url !== PATH || !local.has(raw.socket) || (method !== 'GET' && method !== 'DELETE')) return done();
    reply.code(method === 'GET' ? 200 : 202).send(local.describe());
    if (method === 'DELETE') end();
  });
}
