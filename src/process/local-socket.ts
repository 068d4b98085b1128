import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { explainingDataDir } from '../embedded/data-folder.js';
import { announce } from '../embedded/holder.js';
import type { RunningService } from '../embedded/running-service.js';
import { listenPrivately, removeSocket } from '../embedded/socket.js';

/**
 * The socket in the data directory, on which other processes of the same user reach the app.
 *
 * An HTTP server of Node listens in one place only. Where the app listens on TCP already, the socket is a server of its
 * own, which hands its connections to that of the app as `connection` events. Node's documentation names this use of the
 * event. The order matters: Node notes which connections are idle, and which are too slow, from `listening` on.
 */
export class LocalSocket {
  readonly #connections = new WeakSet<Socket>();
  /** Listens where the app's own server does not. */
  readonly #server = createServer({ allowHalfOpen: true }); // as Node's HTTP servers do
  #path: string | null = null;
  #url: string | null = null;

  constructor(
    private readonly dataDir: string,
    private readonly process: RunningService,
  ) {}

  /** Whether a connection came in here, and not over TCP. */
  has(socket: Socket): boolean {
    return this.#connections.has(socket);
  }

  /** What other processes are told of this one. */
  describe(): RunningService {
    return { ...this.process, url: this.#url };
  }

  /** Prepares an app. Comes before it listens. */
  attach(app: FastifyInstance): void {
    app.addHook('preClose', async () => {
      app.server.close(); // nothing new over TCP either, while requests of the socket are answered
      if (this.#server.listening) await once(this.#server.close(), 'close');
    });
  }

  /** Listens besides TCP, where the app listens already. */
  async listenBeside(app: FastifyInstance, url: string): Promise<void> {
    this.#url = url;
    this.#note(this.#server);
    this.#server.on('connection', (socket) => app.server.emit('connection', socket));
    await this.#listen(async (path) => void (await once(this.#server.listen(path), 'listening')));
  }

  /** Listens for an app that listens nowhere else. */
  async listenAlone(app: FastifyInstance): Promise<void> {
    this.#note(app.server);
    await this.#listen((path) => app.listen({ path }));
  }

  /** Says that this process is about to end, so that no other one comes here any more. */
  async withdraw(): Promise<void> {
    await announce(this.dataDir, { mode: this.process.mode, url: null });
  }

  /** Removes what the app has left when it is closed. */
  async remove(): Promise<void> {
    if (this.#path !== null) await removeSocket(this.#path);
  }

  #note(server: Server): void {
    server.prependListener('connection', (socket: Socket) => this.#connections.add(socket));
  }

  async #listen(listen: (path: string) => Promise<unknown>): Promise<void> {
    this.#path = await explainingDataDir(() => listenPrivately(this.dataDir, listen));
    await announce(this.dataDir, { mode: this.process.mode, url: this.#url, path: this.#path });
  }
}
