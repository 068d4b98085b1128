import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import type pg from 'pg';
import { commit } from './commit.js';
import { corkUntilNextTurn } from './pg-internals.js';
import { isPrepared, PreparedStatements } from './prepared-statements.js';
import { isDirect } from './server-settings.js';

const CHANGING = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

/**
 * A connection of the pool as Kysely uses it. With pg's pipeline mode every statement is sent at once, behind
 * statements that are not answered yet; PostgreSQL executes them one after another, and answers in that order.
 */
export class PipelinedConnection implements DatabaseConnection {
  readonly #client: pg.PoolClient;
  readonly #prepared: PreparedStatements | null;
  #begun: Promise<unknown> = Promise.resolve();

  constructor(client: pg.PoolClient) {
    this.#client = client;
    this.#prepared = isDirect(client) ? new PreparedStatements(client) : null;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    corkUntilNextTurn(this.#client);
    const name = isPrepared(query) ? this.#prepared?.nameOf(query.sql) : undefined;
    const { command, rowCount, rows } = await this.#client.query({
      name,
      text: query.sql,
      values: [...query.parameters],
    });
    return {
      rows: (rows as R[] | undefined) ?? [], // none where the text has several statements
      ...(CHANGING.has(command) && { numAffectedRows: BigInt(rowCount ?? 0) }),
    };
  }

  /**
   * Sends BEGIN and does not wait, so that the first statement follows in the same flight. If BEGIN fails, the
   * statements behind it fail too, because the connection is gone; `commit` makes sure.
   */
  async begin(statement: string): Promise<void> {
    corkUntilNextTurn(this.#client);
    this.#begun = this.#client.query(statement);
    this.#begun.catch(() => {}); // `commit` throws it
  }

  /** @throws NotReplicatedError */
  async commit(): Promise<void> {
    await this.#begun;
    corkUntilNextTurn(this.#client);
    await commit(this.#client);
  }

  /**
   * Where it fails the connection is gone, and with it the transaction; the error that led to the rollback says more.
   */
  async rollback(): Promise<void> {
    corkUntilNextTurn(this.#client);
    await this.#client.query('rollback').catch(() => {});
  }

  release(): void {
    this.#client.release();
  }

  streamQuery(): never {
    throw new Error('Rows cannot be streamed: statements that follow in the pipeline would be answered among them.');
  }
}
