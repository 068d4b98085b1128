// Refusals of the change feed, of webhooks and of the Cloudflare tunnel. The same rules as in src/refusals.ts hold.
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

export function feedBusy(cause: unknown): AppError {
  const message =
    'Another transaction has held the change feed for longer than LOCK_TIMEOUT_MS, so that new events get no place in it. ' +
    'Nothing is lost; try again.';
  return new AppError('overloaded', message, RETRY_LATER, { cause });
}

export function tooManyStreamsOfKey(open: number): AppError {
  const message = `This key follows the events in ${open} streams here already. Close one of them first.`;
  return new AppError('too-many-requests', message, RETRY_LATER);
}

export function tooManyStreams(open: number): AppError {
  return new AppError('overloaded', `${open} clients follow the events here already. Try again later.`, RETRY_LATER);
}

// Webhooks

export function webhookNotFound(id: string): AppError {
  return new AppError('webhook-not-found', `There is no webhook ${id} (any more).`);
}

export function deliveryNotFound(id: string): AppError {
  return new AppError(
    'delivery-not-found',
    `There is no delivery ${id} of this webhook (any more), or the webhook gets no events of its project any more.`,
  );
}

export function webhookDisabled(id: string, reason: string): AppError {
  return new AppError('webhook-disabled', `Webhook ${id} is switched off, so nothing is sent to it. ${reason}`);
}

/** @param counted what there are so many of */
export function webhooksLimitReached(counted: string, limit: number): AppError {
  return new AppError('limit-reached', `${counted} ${limit} webhooks, and more are not allowed. Delete one.`);
}

/** @param problem what is wrong with the URL, to follow `The URL` */
export function destinationInvalid(problem: string): AppError {
  return invalid('/url', `The URL ${problem}`);
}

export function destinationNotAllowed(host: string): AppError {
  return new AppError(
    'destination-not-allowed',
    `Nothing is sent to ${host} from here, so that nobody reaches hosts through this service that he could not reach ` +
      'himself. The operator can add the host to PROBE_ALLOWED_HOSTS, or say with PROBE_TARGETS where it is reached.',
  );
}

/** @param range what kind of addresses is never sent to */
export function destinationForbidden(host: string, address: string, range: string): AppError {
  return new AppError(
    'destination-not-allowed',
    `${host} leads to ${address}, ${range}, and nothing is ever sent there. ` +
      'The operator can say with PROBE_TARGETS where the host is reached.',
  );
}

// Cloudflare

export function cloudflareNotConfigured(): AppError {
  return new AppError(
    'cloudflare-not-configured',
    'No Cloudflare tunnel is configured here. The operator can set CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID, ' +
      'CLOUDFLARE_TUNNEL_ID and CLOUDFLARE_ZONES.',
  );
}

/**
 * What was done so far stays, and the next attempt does the rest.
 * @param reason what Cloudflare answered, in a sentence
 */
export function cloudflareUnavailable(reason: string, retryAfter: number, cause?: unknown): AppError {
  return new AppError('cloudflare-unavailable', reason, { retryAfter }, { cause });
}
