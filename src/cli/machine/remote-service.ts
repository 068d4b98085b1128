import { json } from 'node:stream/consumers';
import type { Connection } from '../../client/connection.js';
import { ClientFailure } from '../../client/failure.js';

/** What the service at PORT_ALLOCATOR_URL answers to a client without a key, and whether it takes the client's key. */
export interface RemoteService {
  /** Null if it gave no answer. */
  version: string | null;
  /** The header `Date` of an answer. */
  date: string | undefined;
  /** Why it cannot be used: it cannot be reached, or refuses the key. */
  failure: ClientFailure | null;
}

export async function askRemote(connection: Connection): Promise<RemoteService> {
  let version: string | null = null;
  let date: string | undefined;
  try {
    const contract = await connection.open({ method: 'GET', path: '/openapi.json' });
    date = contract.headers.date;
    version = ((await json(contract)) as { info: { version: string } }).info.version;
    await connection.send({ method: 'GET', path: '/v1/ranges', query: { limit: 1 } });
    return { version, date, failure: null };
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error;
    return { version, date, failure: error };
  }
}
