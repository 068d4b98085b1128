import { ConfigError } from './config.js';
import { isSchemaMissing, toAppError } from './database/errors.js';
import { migrationsFolder } from './database/migrate.js';
import { DataDirLockedError } from './embedded/data-dir-lock.js';
import { CommandRefused } from './errors.js';

// https://nodejs.org/api/errors.html#common-system-errors
const DATA_DIR_CODES = new Set(['EACCES', 'EEXIST', 'ENOENT', 'ENOTDIR', 'EPERM', 'EROFS', 'ENOSPC']);

/**
 * Why a process of this package could not start, for its user: a sentence if the reason is known, or else the stack.
 */
export function describeStartError(error: unknown): string {
  if ([ConfigError, DataDirLockedError, CommandRefused].some((known) => error instanceof known)) {
    return (error as Error).message;
  }
  if (!(error instanceof Error)) return String(error);
  const { code = '', syscall, port, path } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE') {
    return `PORT: ${port} is taken. Another Port Allocator may be running already; if it is something else, set PORT to a free port.`;
  }
  if (syscall === 'listen') return `HOST, PORT: cannot listen there: ${error.message}`;
  if (path !== undefined && !path.startsWith(migrationsFolder) && DATA_DIR_CODES.has(code)) {
    return `DATA_DIR: ${error.message}. Set it to a folder that this user may write, or to one that can be created.`;
  }
  const refusal = toAppError(error);
  if (refusal && isSchemaMissing(error)) return `${refusal.message} ${error.message}`;
  if (refusal?.code === 'database-unavailable') {
    return `DATABASE_URL: the database does not answer: ${error.message || code}`;
  }
  return error.stack ?? error.message;
}
