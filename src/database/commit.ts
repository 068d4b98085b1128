import type pg from 'pg';

/**
 * The commit was made on the primary, but the wait for its synchronous standby was cut short. The commit is lost if the
 * primary fails before the standby has it.
 */
export class NotReplicatedError extends Error {
  override readonly name = 'NotReplicatedError';
}

/**
 * When a timeout, `pg_cancel_backend` or a shutdown ends that wait, PostgreSQL answers COMMIT as if all were well, and
 * sends a warning with one of these codes. The codes are compared because the message is in the server's language. No
 * other warning of a COMMIT has one of them.
 */
const WAIT_CUT_SHORT = new Set([
  '01000', // warning
  '57P01', // admin_shutdown
]);

/** @throws NotReplicatedError */
export async function commit(client: pg.ClientBase): Promise<void> {
  let warning: string | undefined;
  const onNotice = ({ code, message }: { code: string | undefined; message: string | undefined }) => {
    if (WAIT_CUT_SHORT.has(code ?? '')) warning = message ?? code;
  };
  client.on('notice', onNotice);
  try {
    await client.query('commit');
  } catch (error) {
    if (warning === undefined) throw error; // with a warning, it is the same shutdown that ended the connection
  } finally {
    client.off('notice', onNotice);
  }
  if (warning !== undefined) throw new NotReplicatedError(warning);
}
