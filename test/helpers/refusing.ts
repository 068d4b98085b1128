import type { Test } from 'tap';
import { makeApp, requester } from './app.js';
import { openPostgres } from './database.js';
import { readRegistry } from './rows.js';

/**
 * Opens an app whose registry has one allocation, for tests of requests that are refused.
 * @returns among others `refusing`, which runs a test and then asserts that nothing in the registry has changed
 */
export async function openRefusing(t: Test) {
  const { db } = await openPostgres(t);
  const request = requester(await makeApp(t, { db }));
  const path = '/v1/projects/consilio/services/api';
  const { id } = (await request('PUT', path, { metadata: { a: 1 } })).body;
  const before = await readRegistry(db);
  const refusing = (name: string, test: (t: Test) => Promise<void>) =>
    t.test(name, async (t) => {
      await test(t);
      t.equal(await readRegistry(db), before, 'nothing changed');
    });
  const raw = (body: string) => request('PUT', path, body, { 'content-type': 'application/json' });
  return { db, request, path, id, refusing, raw };
}
