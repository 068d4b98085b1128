import type { IncomingHttpHeaders } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../../errors.js';
import { BODY_LIMIT_BYTES } from '../../schemas/validation.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Exempts a route from load shedding and from the rate limit. It is set for the health endpoints and /metrics,
     * which tell how the process is doing and are needed most while it is overloaded.
     */
    isExemptFromLimits?: boolean;
  }
}

/** Requests in progress at a time. Twice as many as may wait for one project, to leave room for the other projects. */
const MAX_REQUESTS = 8192;
/**
 * Share of the heap limit that all bodies in progress may have together, by their size as sent. In memory a body takes
 * up to ten times that size: as text, as JSON and as commands. Most bodies have less than a kilobyte.
 */
const MAX_BODIES_SHARE = 1 / 32;
/** With a small heap, bodies may still have this much together: four of the largest allowed size. */
const MIN_BODY_BYTES = 4 * BODY_LIMIT_BYTES;
/** Share of the heap limit above which requests are refused. At the limit itself V8 ends the process. */
const MAX_HEAP_SHARE = 0.85;
/** If every turn of the event loop in a sample takes longer than this, requests cannot be answered in time. */
const MAX_TURN_MS = 500;
/** A sample with fewer turns says nothing. */
const MIN_TURNS = 2;
/**
 * One or two slow samples also occur when a process starts on a busy machine, or during one long computation. Three in
 * a row mean too much load.
 */
const MIN_SLOW_SAMPLES = 3;
const SAMPLE_MS = 2000;
const HEAP_SAMPLE_MS = 250;
const RESOLUTION_MS = 10;
const RETRY_AFTER_SECONDS = 1;

/**
 * Refuses requests while the process has more to do than it can do in time, before it runs out of memory and before its
 * event loop becomes slow for everybody. A refusal costs a fraction of an answer. The limits on requests and bodies can
 * never be exceeded, because both are counted before a request is let in. Heap and event loop are sampled.
 *
 * The event loop is judged by the shortest turn of each sample. @fastify/under-pressure uses the mean, which a single
 * long turn raises: a process that starts on a busy machine would refuse its first requests.
 */
export function registerLoadShedding(app: FastifyInstance): void {
  const { heap_size_limit: heapLimit } = getHeapStatistics();
  const maxBodyBytes = Math.max(MIN_BODY_BYTES, MAX_BODIES_SHARE * heapLimit);
  const findOverload = watchProcess(app, heapLimit);
  let requests = 0;
  let bodyBytes = 0;
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.isExemptFromLimits) return done();
    const bytes = sizeOf(request.headers);
    if (requests >= MAX_REQUESTS) return done(overloaded(`${requests} requests are under way here already`));
    if (bytes > 0 && bodyBytes + bytes > maxBodyBytes) {
      return done(overloaded('Too many large requests are under way here already'));
    }
    const reason = findOverload();
    if (reason !== null) return done(overloaded(reason));
    requests += 1;
    bodyBytes += bytes;
    reply.raw.once('close', () => {
      requests -= 1;
      bodyBytes -= bytes;
    });
    done();
  });
}

/** Starts sampling. @returns a function that says why the process can take no more requests, or null while it can */
function watchProcess(app: FastifyInstance, heapLimit: number): () => string | null {
  const turns = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  turns.enable();
  let slowSamples = 0;
  let isFull = false;
  const timers = [
    setInterval(() => {
      const isSlow = turns.count >= MIN_TURNS && turns.min / 1e6 - RESOLUTION_MS > MAX_TURN_MS;
      slowSamples = isSlow ? slowSamples + 1 : 0;
      turns.reset();
    }, SAMPLE_MS).unref(),
    setInterval(() => {
      isFull = getHeapStatistics().used_heap_size > MAX_HEAP_SHARE * heapLimit;
    }, HEAP_SAMPLE_MS).unref(),
  ];
  app.addHook('onClose', async () => {
    for (const timer of timers) clearInterval(timer);
    turns.disable();
  });
  return () => {
    if (isFull) return 'This replica is short of memory';
    return slowSamples >= MIN_SLOW_SAMPLES ? 'This replica does not keep up' : null;
  };
}

/** The size that a body announces, or the most that it may have if it announces none. */
function sizeOf(headers: IncomingHttpHeaders): number {
  if (headers['transfer-encoding'] !== undefined) return BODY_LIMIT_BYTES;
  return Math.min(Number(headers['content-length'] ?? 0) || 0, BODY_LIMIT_BYTES);
}

function overloaded(reason: string): AppError {
  return new AppError('overloaded', `${reason}. Nothing was changed; try again.`, { retryAfter: RETRY_AFTER_SECONDS });
}
