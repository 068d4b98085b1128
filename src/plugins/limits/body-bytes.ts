import { getHeapStatistics } from 'node:v8';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AppError } from '../../errors.js';
import { BODY_LIMIT_BYTES } from '../../schemas/validation.js';
import { whenClosed } from '../../when-closed.js';
import { overloaded } from './load-shedding.js';
import { countedAs } from './rate-limit.js';
import { hasBody } from './read-body.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Counts the bytes of the request's body. Null for a request without one, and until its caller is known. */
    bodyCount: BodyCount | null;
  }
}

/**
 * Share of the heap limit that all bodies in progress may have together, by their size as sent. In memory a body takes
 * up to ten times that size: as text, as JSON and as commands. Most bodies have less than a kilobyte.
 */
const MAX_BODIES_SHARE = 1 / 32;
/** With a small heap, bodies may still have this much together: four of the largest allowed size. */
const MIN_BODIES_BYTES = 4 * BODY_LIMIT_BYTES;
/** The part of it that one caller may have: no caller can keep out all others, nor three of them together. */
const CALLER_SHARE = 1 / 4;
const MIB = 1024 * 1024;

/**
 * Bounds the memory that bodies take, in all and for each caller: an API key, or an address that sends none. A body is
 * counted as it arrives, and not by the Content-Length that it announces: a caller who announces much and sends little
 * takes no room from anybody. It counts until its request ends, however it ends.
 *
 * It comes after the callers are known, so that a request which is refused for its key counts nothing.
 */
export function registerBodyBytes(app: FastifyInstance): void {
  const { heap_size_limit: heapLimit } = getHeapStatistics();
  const bytes = new BodyBytes(Math.max(MIN_BODIES_BYTES, MAX_BODIES_SHARE * heapLimit));
  app.decorateRequest('bodyCount', null);
  app.addHook('onRequest', (request, reply, done) => {
    if (hasBody(request)) request.bodyCount = new BodyCount(bytes, request, reply);
    done();
  });
}

/** The bytes of all bodies that are in memory now. */
export class BodyBytes {
  readonly #maxOfCaller: number;
  readonly #ofCallers = new Map<string, number>();
  #inAll = 0;

  constructor(private readonly maxInAll: number) {
    this.#maxOfCaller = Math.max(BODY_LIMIT_BYTES, CALLER_SHARE * maxInAll);
  }

  /** @returns a refusal if the bytes would exceed a bound; none of them is counted then */
  take(caller: string, bytes: number): AppError | null {
    const ofCaller = (this.#ofCallers.get(caller) ?? 0) + bytes;
    if (ofCaller > this.#maxOfCaller) return tooMany('one key or address', this.#maxOfCaller);
    if (this.#inAll + bytes > this.maxInAll) return tooMany('all callers', this.maxInAll);
    this.#ofCallers.set(caller, ofCaller);
    this.#inAll += bytes;
    return null;
  }

  giveBack(caller: string, bytes: number): void {
    const left = (this.#ofCallers.get(caller) ?? 0) - bytes;
    if (left > 0) this.#ofCallers.set(caller, left);
    else this.#ofCallers.delete(caller);
    this.#inAll -= bytes;
  }
}

/** What one request has of them. */
export class BodyCount {
  readonly #caller: string;
  #taken = 0;
  #isOver = false;

  constructor(
    private readonly bytes: BodyBytes,
    request: FastifyRequest,
    reply: FastifyReply,
  ) {
    this.#caller = countedAs(request);
    whenClosed(reply.raw, () => {
      this.#isOver = true;
      this.giveBack();
    });
  }

  /** Whether the request has ended. What still arrives of its body is not wanted. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** @returns a refusal if they would be too many */
  take(bytes: number): AppError | null {
    const refusal = this.bytes.take(this.#caller, bytes);
    if (refusal === null) this.#taken += bytes;
    return refusal;
  }

  giveBack(): void {
    this.bytes.giveBack(this.#caller, this.#taken);
    this.#taken = 0;
  }
}

function tooMany(whose: string, limit: number): AppError {
  const mib = Math.floor(limit / MIB);
  return overloaded(`The bodies of ${whose} that are under way here may have ${mib} MiB together, and have them`);
}
