import type { Connection } from '../client/connection.js';
import type { Audit } from '../schemas/audit.js';

/** The last audit that covers the project and the host; null if none is kept. Left out: all projects, and all hosts. */
export async function findLastAudit(
  connection: Pick<Connection, 'send'>,
  { project, host }: { project?: string | undefined; host?: string | undefined },
): Promise<Audit | null> {
  const query = { project, host, covering: true, limit: 1 };
  const { items } = await connection.send<{ items: Audit[] }>({ method: 'GET', path: '/v1/audits', query });
  return items[0] ?? null;
}
