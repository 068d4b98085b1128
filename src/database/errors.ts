import { AppError, StartError } from '../errors.js';

/**
 * The commit was made on the primary, but the wait for its synchronous standby was cut short. The commit is lost if the
 * primary fails before the standby has it.
 */
export class NotReplicatedError extends Error {
  override readonly name = 'NotReplicatedError';
}

const RETRY_AFTER_SECONDS = 1;

// The codes are SQLSTATEs (PostgreSQL documentation, Appendix A), and those that Node gives errors of sockets.
const BUSY: Record<string, string> = {
  // lock_not_available
  '55P03': 'Another transaction has held this project for longer than LOCK_TIMEOUT_MS.',
  // deadlock_detected
  '40P01': 'Another transaction and this one waited for each other, and the database ended this one.',
  // serialization_failure
  '40001': 'Another transaction changed the same rows at the same time.',
};

/** The server refused the connection, or could not execute the statement and rolled back. Nothing was changed. */
const UNAVAILABLE = new Set([
  '57P03', // cannot_connect_now
  '57014', // query_canceled: statement_timeout
  '53300', // too_many_connections
  '53100', // disk_full
  '53200', // out_of_memory
  '25006', // read_only_sql_transaction: a standby, during a failover
  '25P03', // idle_in_transaction_session_timeout
  '28P01', // invalid_password
  '28000', // invalid_authorization_specification
  '3D000', // invalid_catalog_name
]);

/**
 * The connection was lost, perhaps while a commit was under way. For the codes of sockets this is so only if the
 * connection had been open: `isConnecting`.
 */
const CONNECTION_LOST = new Set([
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

const NOT_MIGRATED = new Set([
  '42P01', // undefined_table
  '42883', // undefined_function
]);

/** The tables, views and functions of the migrations. A missing one is named in the error, in whatever language. */
const OF_THE_REGISTRY = new RegExp(
  `\\b(${[
    'port_ranges|port_allocations|kept_hostnames|environments|environment_used_at|environment_notice|environment_expires_at|port_reservations|port_health_checks|leases|idempotency_keys|api_keys',
    'excluded_ports|excluded_ports_of|port_audits|port_allocator_migrations|taken_ports|active_port_allocations|port_range_utilization',
    'canonical_host|require_host|require_protocol|require_read_committed|cooling_ports|unreserved_cooling_ports',
    'free_ports|next_port_available_at|range_counts|find_available_port|allocate_port|release_port',
    'cleanup_expired_reservations|events|new_events|event_feed|current_actors?|changed_fields|told_of_(allocation|reservation|webhook)',
    'webhooks|webhook_deliveries|disable_webhooks_of_key|begin_webhook_generation|record_webhook_change',
    'cloudflare_hostnames|cloudflare_tunnels',
    'is_actor|refuse_new_id|record_environment_change|set_released_by|record_(change|event)|record_(inserted|updated|deleted)_(allocations|reservations)',
  ].join('|')})\\b`,
);

// Errors of pg, Kysely and PGlite that have no code.
const POOL_EXHAUSTED_MESSAGE = 'timeout exceeded when trying to connect';
const UNAVAILABLE_MESSAGE =
  /^(Connection terminated due to connection timeout|Cannot use a pool after calling end|driver has already been destroyed)/;
const CONNECTION_LOST_MESSAGE =
  /^(Connection terminated|Query read timeout|Client has encountered a connection error|Client was closed|Connection ended|PGlite is closed)/;

const VIOLATIONS: Record<string, [pointer: string, detail: string]> = {
  port_ranges_bounds: ['/startPort', 'Ranges lie in 3000–64999.'],
  port_ranges_alignment: ['/startPort', 'Ranges start at a multiple of 100.'],
};

/**
 * The refusal for any error: the error itself if it is one, the meaning of a database error, or else `internal-error`.
 */
export function toRefusal(error: unknown): AppError {
  if (error instanceof AppError) return error;
  // In a process that opens the database only when it is called.
  if (error instanceof StartError) {
    return new AppError('database-unavailable', error.message, { needsOperator: true }, { cause: error });
  }
  const message = 'Something went wrong here; the log has it under this requestId.';
  return toAppError(error) ?? new AppError('internal-error', message, {}, { cause: error });
}

/**
 * What a database error means to a client. Errors are recognised by code and constraint, because those of the embedded
 * database are no instances of pg's `DatabaseError`.
 * @returns null for an error that did not come from the database, or that means a bug in this service
 */
export function toAppError(error: unknown): AppError | null {
  if (!(error instanceof Error)) return null;
  const { code, constraint = '' } = error as { code?: unknown; constraint?: string };
  if (code !== undefined && typeof code !== 'string') return null;
  const cause = { cause: error };
  const retry = { retryAfter: RETRY_AFTER_SECONDS };
  if (code && BUSY[code]) {
    return new AppError('project-busy', `${BUSY[code]} Nothing was changed; try again.`, retry, cause);
  }
  // If another range with the same start port was created, PostgreSQL reports the primary key and not the exclusion.
  if (constraint === 'port_ranges_no_overlap' || (code === '23505' && constraint === 'port_ranges_pkey')) {
    return new AppError('range-overlap', 'Another range was just created there.', {}, cause);
  }
  if (code === '23505' && /^port_(allocations|reservations)_active_port$/.test(constraint)) {
    return new AppError('port-taken', 'Another process has just taken this port; try again.', {}, cause);
  }
  const violation = VIOLATIONS[constraint];
  if (code === '23514' && violation) {
    const [pointer, detail] = violation;
    return new AppError('validation-failed', detail, { errors: [{ pointer, detail }] }, cause);
  }
  if (isSchemaMissing(error)) {
    return new AppError(
      'database-unavailable',
      'The database does not have the tables of this version yet. They come with a replica that starts ' +
        '(MIGRATE_ON_START) or with `npm run migrate`; try again then.',
      { ...retry, needsOperator: true },
      cause,
    );
  }
  // insufficient_privilege
  if (code === '42501') {
    const detail = 'The database does not give this service all of the rights that it needs. Nothing was changed.';
    return new AppError('database-unavailable', detail, { ...retry, needsOperator: true }, cause);
  }
  if (error.message === POOL_EXHAUSTED_MESSAGE) {
    const detail = 'Every database connection of this replica was busy for too long. Nothing was changed; try again.';
    return new AppError('overloaded', detail, retry, cause);
  }
  if (isOutcomeUnknown(error)) {
    return new AppError(
      'database-unavailable',
      'The database does not answer; try again. If this was a change, it may or may not have been made.',
      { ...retry, isOutcomeUnknown: true },
      cause,
    );
  }
  if (isConnecting(error) || UNAVAILABLE.has(code ?? '') || UNAVAILABLE_MESSAGE.test(error.message)) {
    const detail = 'The database does not answer, or cannot work now. Nothing was changed; try again.';
    return new AppError('database-unavailable', detail, retry, cause);
  }
  return null;
}

/**
 * Whether the connection, or the standby of a commit, was lost in such a way that nobody knows if the commit was made.
 */
export function isOutcomeUnknown(error: unknown): boolean {
  if (!(error instanceof Error) || isConnecting(error) || UNAVAILABLE_MESSAGE.test(error.message)) return false;
  const { code } = error as { code?: unknown };
  if (error instanceof NotReplicatedError) return true;
  if (typeof code === 'string' && (CONNECTION_LOST.has(code) || code.startsWith('08'))) return true;
  return CONNECTION_LOST_MESSAGE.test(error.message);
}

/** Whether the database lacks a table, view, column or function that the migrations of this version create. */
export function isSchemaMissing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  // undefined_column: its error does not always name the table, but the service reads no columns of others.
  return code === '42703' || (NOT_MIGRATED.has(String(code)) && OF_THE_REGISTRY.test(error.message));
}

const neverConnected = new WeakSet<Error>();

/**
 * Marks the error of a connection that could not be opened, over which nothing can have been done. The error itself
 * does not show this: a proxy that has no server, for example, accepts the connection and then closes it.
 */
export function markNeverConnected(error: Error): void {
  neverConnected.add(error);
}

/**
 * Whether the error came before the connection was open. If a name has several addresses and none accepts, Node throws
 * an AggregateError with one error for each. A missing Unix socket gives ENOENT of `connect`.
 */
export function isConnecting(error: Error): boolean {
  if (neverConnected.has(error)) return true;
  const { syscall } = (error instanceof AggregateError ? error.errors[0] : error) as NodeJS.ErrnoException;
  return syscall === 'connect' || syscall === 'getaddrinfo';
}
