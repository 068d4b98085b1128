import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import type { Test } from 'tap';

/** What a client sends to have a statement executed: Query, and Execute of the extended protocol. */
const EXECUTING = new Set([...'QE'].map((type) => type.charCodeAt(0)));

/**
 * Stands between a service and PostgreSQL, and counts the statements that are executed.
 * @returns the database's URL through the relay, and the count so far
 */
export async function countStatements(t: Test, databaseUrl: string): Promise<{ url: string; executed(): number }> {
  const url = new URL(databaseUrl);
  const server = { host: url.hostname, port: Number(url.port || 5432) };
  let executed = 0;
  const relay = createServer((client) => {
    const database = connect(server);
    t.teardown(() => client.destroy());
    client.on('error', () => database.destroy()).on('close', () => database.destroy());
    database.on('error', () => client.destroy()).on('close', () => client.destroy());
    database.pipe(client);
    let pending = Buffer.alloc(0);
    let typeLength = 0; // the first message of a connection has no type
    client.on('data', (data) => {
      database.write(data);
      pending = Buffer.concat([pending, data]);
      while (pending.length >= typeLength + 4) {
        const length = typeLength + pending.readUInt32BE(typeLength);
        if (pending.length < length) return;
        if (typeLength === 1 && EXECUTING.has(pending[0] as number)) executed += 1;
        pending = pending.subarray(length);
        typeLength = 1;
      }
    });
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  t.teardown(() => relay.close());
  url.hostname = '127.0.0.1';
  url.port = String((relay.address() as AddressInfo).port);
  return { url: url.href, executed: () => executed };
}
