import { StartError } from './errors.js';

/**
 * Why a process of this package could not start, for its user: the sentence of a StartError, which was made where the
 * error's reason was known, or else the stack.
 */
export function describeStartError(error: unknown): string {
  if (error instanceof StartError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
