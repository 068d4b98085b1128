import type pg from 'pg';

/** What this service uses of pg that pg does not document (read in pg 8.23). Nothing else reaches into pg. */
interface Internals {
  /** The process id that the server gave when the connection was opened. */
  processID: number | null;
  connection: {
    /** PGlite's stand-in for a socket cannot be corked. */
    stream: { cork?(): void; uncork?(): void };
    /** Name and text of each statement that PostgreSQL has prepared on this connection. */
    parsedStatements: Record<string, string>;
    close(message: { type: 'S'; name: string }): void;
  };
}

const internalsOf = (client: pg.ClientBase) => client as unknown as Internals;

export function greetedProcessId(client: pg.ClientBase): number | null {
  return internalsOf(client).processID;
}

/** What is sent in one turn of the event loop leaves as one packet. */
export function corkUntilNextTurn(client: pg.ClientBase): void {
  const { stream } = internalsOf(client).connection;
  stream.cork?.();
  process.nextTick(() => stream.uncork?.());
}

/**
 * Makes PostgreSQL forget a prepared statement, by the protocol's Close message. Unlike `DEALLOCATE` it also works
 * within a transaction that has failed. pg ignores the answer, so there is nothing to wait for.
 */
export function closeStatement(client: pg.ClientBase, name: string): void {
  const { connection } = internalsOf(client);
  connection.close({ type: 'S', name });
  delete connection.parsedStatements[name];
}
