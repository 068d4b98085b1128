import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';
import type { FastifyBaseLogger } from 'fastify';
import { MOST_CONNECTIONS } from '../../config/open-files.js';
import type { Observer } from '../../observer.js';
import { networkOf } from './rate-limit.js';

export interface ConnectionLimits {
  /** Open connections of this process. */
  total: number;
  /** Open connections from one address; all IPv6 addresses of a /64 count as one. */
  perNetwork: number;
}

/** If the process may have few files open, `divideOpenFiles` says how many connections there are in all. */
export const CONNECTION_LIMITS: ConnectionLimits = { total: MOST_CONNECTIONS, perNetwork: 1024 };
/** How many addresses of cut connections a line of the log names. */
const MAX_LOGGED_ADDRESSES = 5;
const LOG_EVERY_MS = 1000;

/** Why a connection was cut: the values of the metric's label. */
export type CutReason =
  | 'too-many'
  | 'too-many-from-address'
  | 'too-many-pipelined'
  | 'unread-too-long'
  | 'unread-too-much';

/** What is known of an open connection. */
export interface Connection {
  readonly socket: Socket;
  readonly address: string;
  readonly network: string;
  /** The answer to the request that arrived last, until it was sent; null if no request is unanswered. */
  lastAnswer: ServerResponse | null;
}

/** The cut connections that the log has not told yet. */
interface Untold {
  connections: number;
  unreadBytes: number;
  addresses: Set<string>;
}

/**
 * The open connections of the service, and their number in all and by address. A connection beyond the limits is closed
 * at once. Proxies of TRUST_PROXY have many clients, so their connections count towards the total only.
 */
export class Connections {
  readonly #bySocket = new Map<Socket, Connection>();
  readonly #numbers = new Map<string, number>();
  readonly #isTrusted: (address: string, hops: number) => boolean;
  readonly #untold = new Map<CutReason, Untold>();
  #telling: NodeJS.Timeout | null = null;

  constructor(
    private readonly log: FastifyBaseLogger,
    private readonly observer: Observer,
    trustProxy: readonly string[],
    private readonly limits: ConnectionLimits = CONNECTION_LIMITS,
  ) {
    this.#isTrusted = proxyAddr.compile([...trustProxy]); // as Fastify does
  }

  /** Counts the connections of a server from now on. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.#opened(socket));
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#bySocket.values();
  }

  /** @returns undefined for the socket of an injected request, which is none */
  of(socket: Socket): Connection | undefined {
    return this.#bySocket.get(socket);
  }

  /** The address of the client behind the proxies of TRUST_PROXY, as `request.ip` has it. */
  clientOf(request: IncomingMessage): string {
    return proxyAddr(request, this.#isTrusted);
  }

  /** Destroys a connection. It is counted, and logged together with others of this second. */
  cut({ socket, address }: Pick<Connection, 'socket' | 'address'>, reason: CutReason): void {
    const untold = this.#untold.get(reason) ?? { connections: 0, unreadBytes: 0, addresses: new Set() };
    this.#untold.set(reason, untold);
    untold.connections += 1;
    untold.unreadBytes += socket.writableLength;
    if (untold.addresses.size < MAX_LOGGED_ADDRESSES) untold.addresses.add(address);
    this.observer.cut(reason);
    socket.destroy();
    this.#telling ??= setTimeout(() => this.#tell(), LOG_EVERY_MS).unref();
  }

  #opened(socket: Socket): void {
    const address = socket.remoteAddress ?? ''; // missing if the client has left already
    const network = networkOf(address);
    const number = (this.#numbers.get(network) ?? 0) + 1;
    const excess = this.#excessOf(address, number);
    if (excess !== null) {
      this.cut({ socket, address }, excess);
      return;
    }
    this.#numbers.set(network, number);
    this.#bySocket.set(socket, { socket, address, network, lastAnswer: null });
    socket.once('close', () => this.#closed(socket, network));
    stopParsingWhenDestroyed(socket);
  }

  #excessOf(address: string, number: number): CutReason | null {
    if (this.#bySocket.size >= this.limits.total) return 'too-many';
    return number > this.limits.perNetwork && !this.#isTrusted(address, 0) ? 'too-many-from-address' : null;
  }

  #closed(socket: Socket, network: string): void {
    this.#bySocket.delete(socket);
    const left = (this.#numbers.get(network) ?? 0) - 1;
    if (left > 0) this.#numbers.set(network, left);
    else this.#numbers.delete(network);
  }

  /** One line a second for each reason, as a flood of connections must not become a flood of lines. */
  #tell(): void {
    this.#telling = null;
    for (const [reason, { addresses, ...counts }] of this.#untold) {
      this.log.warn({ reason, ...counts, addresses: [...addresses] }, 'Connections cut');
    }
    this.#untold.clear();
  }
}

/** The part of Node's parser of a connection that is used here. It is not documented. */
interface Parser {
  onIncoming?: ((request: IncomingMessage, keepAlive: boolean) => number) | null;
}

/** What the parser is told of a request after which the connection is no HTTP any more. It reads no further then. */
const NO_MORE_HTTP = 2;

/**
 * Makes no requests of what has arrived of a connection that was destroyed. Node reads 64 KiB at a time, which can hold
 * 3000 requests (pipelining). It would make objects of all of them, and keep these until it has read from all other
 * connections too: 16 connections that were cut at once took 350 MB.
 */
function stopParsingWhenDestroyed(socket: Socket): void {
  const { parser } = socket as Socket & { parser?: Parser | null };
  const onIncoming = parser?.onIncoming;
  if (!parser || !onIncoming) return;
  parser.onIncoming = (request, keepAlive) => (socket.destroyed ? NO_MORE_HTTP : onIncoming(request, keepAlive));
}
