import type { IncomingHttpHeaders } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors.js';
import { BODY_LIMIT_BYTES } from './json.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered also when all else is refused: what tells whether the process is well. */
    vital?: boolean;
  }
}

/** Twice what may wait for one project, so that a hot one leaves room for the others. */
const MAX_UNDER_WAY = 8192;
/** A body takes up to ten times its size, as text, as JSON and as commands. Most have less than a kilobyte. */
const MAX_BODIES_SHARE = 1 / 32;
const MIN_BODY_BYTES = 4 * BODY_LIMIT_BYTES;
/** Of what the heap may grow to; V8 ends the process at the whole. */
const MAX_HEAP_SHARE = 0.85;
/** When every turn of the event loop takes this long, more is asked than can be answered in time. */
const MAX_TURN_MS = 500;
const MIN_TURNS = 2;
/** A slow while or two are a start on a busy machine, or a long computation; a third in a row is load. */
const MIN_SLOW_SAMPLES = 3;
const SAMPLE_MS = 2000;
const HEAP_SAMPLE_MS = 250;
const RESOLUTION_MS = 10;
const RETRY_AFTER_SECONDS = 1;

/**
 * Refuses requests while the process has more to do than it can do in time, before it runs out of memory and before
 * its event loop stalls for all. A refusal costs a fraction of an answer. The bounds of requests and of bodies hold by construction.
 *
 * It is the shortest turn of a while that counts and not, as with @fastify/under-pressure, the mean: one long turn, as
 * when a process starts on a busy machine, would have the next requests refused.
 */
export function registerLoadShedding(app: FastifyInstance): void {
  const { heap_size_limit: heapLimit } = getHeapStatistics();
  const maxBodyBytes = Math.max(MIN_BODY_BYTES, MAX_BODIES_SHARE * heapLimit);
  const strain = watchProcess(app, heapLimit);
  let underWay = 0;
  let bodyBytes = 0;
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.config.vital) return done();
    const bytes = sizeOf(request.headers);
    if (underWay >= MAX_UNDER_WAY) return done(overloaded(`${underWay} requests are under way here already`));
    if (bytes > 0 && bodyBytes + bytes > maxBodyBytes) {
      return done(overloaded('Too many large requests are under way here already'));
    }
    const reason = strain();
    if (reason !== null) return done(overloaded(reason));
    underWay += 1;
    bodyBytes += bytes;
    reply.raw.once('close', () => {
      underWay -= 1;
      bodyBytes -= bytes;
    });
    done();
  });
}

/** @returns what tells why the process can take no more; null while it can */
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

/** What a body will take: as much as it may where it does not say. */
function sizeOf(headers: IncomingHttpHeaders): number {
  if (headers['transfer-encoding'] !== undefined) return BODY_LIMIT_BYTES;
  return Math.min(Number(headers['content-length'] ?? 0) || 0, BODY_LIMIT_BYTES);
}

function overloaded(reason: string): AppError {
  return new AppError('overloaded', `${reason}. Nothing was changed; try again.`, { retryAfter: RETRY_AFTER_SECONDS });
}
