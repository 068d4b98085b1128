import * as refusals from '../refusals.js';
import { AbandonedError, QueueFullError } from './batcher.js';

/** The most requests that may wait in one queue. At 5,000 commands a second that is less than a second. */
export const MAX_WAITING = 4096;

/** @throws AppError for a change that was not executed, because its queue was full or its caller had left */
export function refuseUnexecuted(error: unknown): never {
  if (error instanceof AbandonedError) throw refusals.callerGaveUp();
  throw error instanceof QueueFullError ? refusals.tooManyCallsWait() : error;
}
