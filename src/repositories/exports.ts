import { sql } from 'kysely';
import type { AllocationRow } from '../database/tables.js';
import * as refusals from '../refusals.js';
import type { Allocation } from '../schemas/allocation.js';
import type { ExportQuery } from '../schemas/export.js';
import { hasRange } from './ranges.js';
import { toAllocation } from './rows.js';
import type { Store } from './store.js';

export interface Exported {
  allocation: Allocation;
  /** False where another allocation, exported or not, has the same Cloudflare hostname: the oldest, TCP before UDP. */
  ownsHostname: boolean;
}

/**
 * What is held, by project, environment, service, host and port.
 * @throws AppError project-not-found
 */
export async function findExported(
  { db, access }: Store,
  { project, environment, host }: ExportQuery,
): Promise<Exported[]> {
  if (project !== undefined) {
    access.demandProject(project);
    if (!(await hasRange(db, project))) throw refusals.projectNotFound(project);
  }
  const { rows } = await sql<AllocationRow & { owns_hostname: boolean }>`
    select a.*, not exists (
      select from port_allocations b
      where b.released_at is null and b.cloudflare_hostname = a.cloudflare_hostname
        -- No proxy routes a hostname to UDP, so a claim of UDP ('udp' > 'tcp') silences none of TCP.
        and (b.protocol, b.allocated_at, b.id) < (a.protocol, a.allocated_at, a.id)
    ) as owns_hostname
    from port_allocations a
    where a.released_at is null
      and (${access.projects}::text[] is null or a.project = any(${access.projects}))
      and (${project ?? null}::text is null or a.project = ${project ?? null})
      and (${environment ?? null}::text is null or a.environment = ${environment ?? null})
      and (${host ?? null}::text is null or a.host = ${host ?? null})
    order by a.project collate "C", a.environment collate "C", a.service collate "C", a.host collate "C",
             a.protocol, a.port`.execute(db);
  return rows.map((row) => ({ allocation: toAllocation(row), ownsHostname: row.owns_hostname }));
}
