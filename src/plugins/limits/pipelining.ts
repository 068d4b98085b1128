import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Connection, Connections } from './connections.js';

export interface PipeliningLimits {
  /** Requests that wait, in all. More than MAX_REQUESTS of load-shedding.ts, so that the excess is refused, not cut. */
  total: number;
  /** Requests that wait on all connections of one address, so that nobody takes all places for requests in progress. */
  perNetwork: number;
}

const LIMITS: PipeliningLimits = { total: 10_000, perNetwork: 512 };

/**
 * Handles the requests of a connection one after another, as nginx and Go do (RFC 9112, 9.3.2 allows it). Node would
 * hand over every request that a client sends without waiting (pipelining) at once. Their answers can be sent only in
 * order, so all of them would be kept in memory for as long as the client leaves the first one unread.
 *
 * The next request begins when the kernel has taken the whole answer before it. If the connection is lost by then, or
 * the answer before it was the last one, the requests that wait are never handled.
 *
 * For example, a client sends A, B and C on one connection. A is handled. B and C count as requests in progress
 * (`takeTurns` comes after load shedding), and do nothing else until the answer to A is sent. Then B begins. If B's
 * answer has `Connection: close`, C is dropped.
 */
export class Pipelining {
  /** Of the answers whose requests wait: what to do when it is their turn. */
  readonly #turns = new Map<ServerResponse, () => void>();
  readonly #numbers = new Map<string, number>();

  constructor(
    private readonly connections: Connections,
    private readonly limits: PipeliningLimits = LIMITS,
  ) {}

  /** Notices requests that have to wait. It comes before everything else, so that it knows of every request. */
  noticeRequests(app: FastifyInstance): void {
    app.addHook('onRequest', ({ raw: { socket } }, { raw: answer }, done) => this.#notice(socket, answer, done));
  }

  /** Lets requests wait for their turn. */
  takeTurns(app: FastifyInstance): void {
    app.addHook('onRequest', (_request, { raw: answer }, done) => this.#takeTurn(answer, done));
  }

  /** Does both for a request that comes to no hooks, because its URL is malformed. */
  waitForTurn(socket: Socket, answer: ServerResponse, begin: () => void): void {
    this.#notice(socket, answer, () => this.#takeTurn(answer, begin));
  }

  /** @param next not called if the client has left, or its connection is cut */
  #notice(socket: Socket, answer: ServerResponse, next: () => void): void {
    if (socket.destroyed) return;
    const connection = this.connections.of(socket);
    if (!connection) {
      next(); // an injected request
      return;
    }
    const before = connection.lastAnswer;
    connection.lastAnswer = answer;
    answer.once('close', () => {
      if (connection.lastAnswer === answer) connection.lastAnswer = null;
    });
    if (before !== null && this.#isFull(connection)) {
      this.connections.cut(connection, 'too-many-pipelined');
      return;
    }
    if (before !== null) this.#queue(connection, before, answer);
    next();
  }

  #takeTurn(answer: ServerResponse, begin: () => void): void {
    if (this.#turns.size > 0 && this.#turns.has(answer)) this.#turns.set(answer, begin);
    else begin();
  }

  #isFull({ network }: Connection): boolean {
    return this.#turns.size >= this.limits.total || (this.#numbers.get(network) ?? 0) >= this.limits.perNetwork;
  }

  #queue({ socket, network }: Connection, before: ServerResponse, answer: ServerResponse): void {
    this.#turns.set(answer, () => {}); // until `takeTurns`; a request that is refused before that does not come there
    this.#numbers.set(network, (this.#numbers.get(network) ?? 0) + 1);
    before.once('close', () => {
      const begin = this.#turns.get(answer);
      this.#turns.delete(answer);
      const left = (this.#numbers.get(network) ?? 0) - 1;
      if (left > 0) this.#numbers.set(network, left);
      else this.#numbers.delete(network);
      if (socket.writable) begin?.();
      else if (answer.socket === null) close(answer);
    });
  }
}

/**
 * Ends an answer whose turn had not come when its connection was closed. Node emits no `close` for it, for which others
 * wait: to count the requests in progress, and the next answer of this connection.
 */
function close(answer: ServerResponse): void {
  answer.destroy();
  answer.emit('close');
}
