import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { explainingDataDir } from '../embedded/data-folder.js';
import { announce } from '../embedded/holder.js';
import type { RunningService } from '../embedded/running-service.js';
import { listenPrivately, removeSocket } from '../embedded/socket.js';

/**
 * The socket in the data folder, on which other processes of the same user reach the app.
 *
 * An HTTP server of Node listens in one place only. Where the app listens on TCP already, the socket is a server of its
 * own, which hands its connections to that of the app as `connection` events. Node's documentation names this use of the
 * event. The order matters: Node notes which connections are idle, and which are too slow, from `listening` on.
 */
export class LocalSocket {
  readonly #connections = new WeakSet<Socket>();
  /** How many connections have come in. */
  #taken = 0;
  /** Listens where the app's own server does not. */
  readonly #server = createServer({ allowHalfOpen: true }); // as Node's HTTP servers do
  #path: string | null = null;
  #url: string | null = null;

  constructor(
    private readonly dataDir: string,
    private readonly about: RunningService,
  ) {}

  /** Whether a connection came in here, and not over TCP. */
  has(socket: Socket): boolean {
    return this.#connections.has(socket);
  }

  /** What other processes are told of this one. */
  describe(): RunningService {
    return { ...this.about, url: this.#url };
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

  /**
   * Lets no other process come here any more, before the socket is closed. A client whose connection is in the kernel's
   * queue by then is still let in. When the socket is closed, the kernel breaks off what is left in the queue, and such
   * a client could not know whether anybody has read its request.
   */
  async withdraw(): Promise<void> {
    await announce(this.dataDir, { mode: this.about.mode, url: null });
    if (this.#path === null || process.platform === 'win32') return;
    await rm(this.#path, { force: true });
    // Whenever the event loop polls the socket, it takes one connection of the queue. It does so between the two turns.
    let taken: number;
    do {
      taken = this.#taken;
      for (let turn = 0; turn < 2; turn++) await setImmediate();
    } while (this.#taken > taken);
  }

  /** Removes what the app has left when it is closed. */
  async remove(): Promise<void> {
    if (this.#path !== null) await removeSocket(this.#path);
  }

  #note(server: Server): void {
    server.prependListener('connection', (socket: Socket) => {
      this.#taken += 1;
      this.#connections.add(socket);
    });
  }

  async #listen(listen: (path: string) => Promise<unknown>): Promise<void> {
    await explainingDataDir(async () => {
      this.#path = await listenPrivately(this.dataDir, listen);
      await announce(this.dataDir, { mode: this.about.mode, url: this.#url, path: this.#path });
    });
  }
}
