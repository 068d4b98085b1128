import type { Call, Connection } from './connection.js';

/** The most that a page may have. */
const PAGE_LIMIT = 1000;

/** Reads all pages of a list. */
export async function readAll<T>(connection: Connection, path: string, query: Call['query'] = {}): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | null = null;
  do {
    const call: Call = { method: 'GET', path, query: { ...query, limit: PAGE_LIMIT, cursor } };
    const page: { items: T[]; nextCursor: string | null } = await connection.send(call);
    all.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return all;
}
