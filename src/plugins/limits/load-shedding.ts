import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../../errors.js';
import { whenClosed } from '../../when-closed.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Exempts a route from load shedding and from the rate limit. It is set for /livez alone, which asks nothing of the
     * database: whoever restarts the process when that fails must not do so because the process is overloaded.
     */
    isExemptFromLimits?: boolean;
  }
}

/** Requests in progress at a time. Twice as many as may wait for one project, to leave room for the other projects. */
const MAX_REQUESTS = 8192;
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
 * event loop becomes slow for everybody. A refusal costs a fraction of an answer, and comes before anything is known of
 * the caller. The limit on requests can never be exceeded, because they are counted before they are let in. Heap and
 * event loop are sampled. What bodies take is bounded later, see `registerBodyBytes`.
 *
 * The event loop is judged by the shortest turn of each sample. @fastify/under-pressure uses the mean, which a single
 * long turn raises: a process that starts on a busy machine would refuse its first requests.
 */
export function registerLoadShedding(app: FastifyInstance): void {
  const { heap_size_limit: heapLimit } = getHeapStatistics();
  const findOverload = watchProcess(app, heapLimit);
  let requests = 0;
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.isExemptFromLimits) return done();
    if (requests >= MAX_REQUESTS) return done(overloaded(`${requests} requests are under way here already`));
    const reason = findOverload();
    if (reason !== null) return done(overloaded(reason));
    requests += 1;
    whenClosed(reply.raw, () => {
      requests -= 1;
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

export function overloaded(reason: string): AppError {
  return new AppError('overloaded', `${reason}. Nothing was changed; try again.`, { retryAfter: RETRY_AFTER_SECONDS });
}
