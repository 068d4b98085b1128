// What is refused to those who follow events. The same rules as in src/refusals.ts hold.
import { AppError, invalid } from '../../errors.js';

const RETRY_LATER = { retryAfter: 5 };

// The feed

/** @param deleted up to where events were deleted */
export function eventsExpired(position: number, deleted: number): AppError {
  return new AppError(
    'events-expired',
    `Events behind ${position} were deleted because of their age (EVENT_RETENTION_DAYS), up to ${deleted}. What happened ` +
      'there cannot be told any more.',
  );
}

/** @param pointer where the caller gave it */
export function eventNotYet(pointer: string, position: number, last: number): AppError {
  return invalid(
    pointer,
    `There is no event ${position} yet: the newest is ${last}. The id is of another registry, or this one was restored ` +
      'from a backup. Read its present state, and follow it from now on.',
  );
}

export function eventIdUnknown(pointer: string): AppError {
  return invalid(pointer, 'This is no id of an event: a whole number in decimal digits.');
}

export function eventTypesUnknown(unknown: string[], types: readonly string[]): AppError {
  return invalid('/query/type', `There is no type ${unknown.join(', ')}. The types are ${types.join(', ')}.`);
}

export function tooManyStreamsOfKey(open: number): AppError {
  const message = `This key follows the events in ${open} streams here already. Close one of them first.`;
  return new AppError('too-many-requests', message, RETRY_LATER);
}

export function tooManyStreams(open: number): AppError {
  return new AppError('overloaded', `${open} clients follow the events here already. Try again later.`, RETRY_LATER);
}
