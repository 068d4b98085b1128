import { canonicalTime } from '../input/time.js';
import * as refusals from '../refusals.js';

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** The page that a caller asks for. A transport sets `maxBytes` where its answers have to be smaller than usual. */
export interface PageRequest {
  limit?: number;
  cursor?: string;
  maxBytes?: number;
}

/**
 * About how many bytes of JSON a page has at most, so that many large pages at a time fit into a small heap. The item
 * that crosses the bound is the last of its page: a page always has at least one.
 */
export const PAGE_BYTES = 1024 * 1024;

/**
 * Makes a page of at most `limit` items and about `maxBytes`. Rows that do not fit show that there is a next page. Use
 * it where the largest `limit + 1` rows are some MiB; `listAllocations` leaves out in SQL what does not fit.
 * @param keyOf what the list is ordered by; the cursor holds it for the last item, in a form that only this service
 * reads
 */
export function toPage<Row, T>(
  rows: Row[],
  { limit, maxBytes = PAGE_BYTES }: { limit: number; maxBytes?: number | undefined },
  toItem: (row: Row) => T,
  keyOf: (row: Row) => (string | number)[],
): Page<T> {
  const items: T[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (items.length === limit || bytes >= maxBytes) break;
    const item = toItem(row);
    items.push(item);
    bytes += Buffer.byteLength(JSON.stringify(item));
  }
  return { items, nextCursor: cursorAfter(rows[items.length - 1], rows.length > items.length, keyOf) };
}

/** The cursor of the page behind `last`; null if there is none. */
export function cursorAfter<Row>(
  last: Row | undefined,
  hasNext: boolean,
  keyOf: (row: Row) => (string | number)[],
): string | null {
  return hasNext && last !== undefined ? encodeCursor(keyOf(last)) : null;
}

function encodeCursor(key: (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/**
 * @param checks one for each part of the key, so that every part that reaches SQL has its type
 * @returns the key after which the next page begins; null without a cursor
 * @throws AppError validation-failed for a cursor that this service did not make
 */
export function decodeCursor<Key extends unknown[]>(
  cursor: string | undefined,
  ...checks: { [I in keyof Key]: (part: unknown) => part is Key[I] }
): Key | null {
  if (cursor === undefined) return null;
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(key) && key.length === checks.length && checks.every((check, i) => check(key[i]))) {
      if (encodeCursor(key) === cursor) return key as Key; // decoding ignores characters that are not base64url
    }
  } catch {
    // What is no JSON is no cursor, and is refused below.
  }
  throw refusals.cursorUnknown();
}

export const isPort = (part: unknown): part is number =>
  Number.isInteger(part) && (part as number) >= 1 && (part as number) <= 65535;
export const isProtocol = (part: unknown): part is 'tcp' | 'udp' => part === 'tcp' || part === 'udp';
export const isName = (part: unknown): part is string => typeof part === 'string' && /^[a-z0-9._-]{1,63}$/.test(part);
export const isUuid = (part: unknown): part is string =>
  typeof part === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(part);
/** A time in the one form that cursors have. */
export const isTime = (part: unknown): part is string => typeof part === 'string' && canonicalTime(part) === part;
