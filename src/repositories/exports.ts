import { type Kysely, sql } from 'kysely';
import type { Access } from '../access/access.js';
import type { AllocationRow, Tables } from '../database/tables.js';
import type { Allocation } from '../schemas/allocation.js';
import type { ExportQuery } from '../schemas/export.js';
import { toAllocation } from './allocations.js';
import { requireRange } from './ranges.js';
import { visibleTo } from './visible.js';

export interface Exported {
  allocation: Allocation;
  /**
   * Of several allocations with one Cloudflare hostname, exported or not, one owns it: the oldest of the project that
   * has it, TCP before UDP. None does if the hostname is withheld from all of them.
   */
  ownsHostname: boolean;
}

/**
 * Every active allocation, in the order of project, environment, service, host, protocol and port.
 * @throws AppError project-not-found, forbidden
 */
export async function findExported(
  db: Kysely<Tables>,
  access: Access,
  { project, environment, host }: ExportQuery,
): Promise<Exported[]> {
  if (project !== undefined) await requireRange(db, access, project);
  const { rows } = await sql<AllocationRow & { owns_hostname: boolean }>`
    select a.*, a.hostname_withheld_at is null and not exists (
      select from port_allocations b
      where b.released_at is null and b.cloudflare_hostname = a.cloudflare_hostname and b.hostname_withheld_at is null
        -- No proxy routes a hostname to UDP, so TCP comes before UDP ('tcp' < 'udp'), however old either is.
        and (b.protocol, b.allocated_at, b.id) < (a.protocol, a.allocated_at, a.id)
    ) as owns_hostname
    from port_allocations a
    where a.released_at is null
      and ${visibleTo(access, 'a.project')}
      and (${project ?? null}::text is null or a.project = ${project ?? null})
      and (${environment ?? null}::text is null or a.environment = ${environment ?? null})
      and (${host ?? null}::text is null or a.host = ${host ?? null})
    order by a.project collate "C", a.environment collate "C", a.service collate "C", a.host collate "C",
             a.protocol, a.port`.execute(db);
  return rows.map((row) => ({ allocation: toAllocation(row), ownsHostname: row.owns_hostname }));
}
