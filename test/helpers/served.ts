import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { makeApp, requester } from './app.js';
import { openPostgres } from './database.js';

/** Serves the app on a port of loopback, for processes that are its clients. It ends when the test ends. */
export async function serveApp(t: Test, variables: Record<string, string> = {}) {
  const { db } = await openPostgres(t);
  const app = await makeApp(t, { db }, variables);
  await app.listen({ port: 0 });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  return { db, app, url, request: requester(app), variables: { PORT_ALLOCATOR_URL: url } };
}
