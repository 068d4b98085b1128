import { type Kysely, sql } from 'kysely';
import type { Access } from '../access/access.js';
import type { RangeRow, Tables } from '../database/tables.js';
import type { Space } from '../keys.js';
import * as refusals from '../refusals.js';
import type { ProjectSummary, Range } from '../schemas/range.js';
import { decodeCursor, isName, type Page, type PageRequest, toPage } from './pages.js';
import { type CountsRow, toRange } from './ranges.js';
import { visibleTo } from './visible.js';

/** How many summaries are read together. Each has every hostname of its project on one host and protocol. */
const SUMMARIES_TOGETHER = 200;

/** By name. */
export async function listProjects(
  db: Kysely<Tables>,
  access: Access,
  space: Space,
  { limit = 100, cursor, maxBytes }: PageRequest,
): Promise<Page<ProjectSummary>> {
  const after = decodeCursor(cursor, isName)?.[0] ?? '';
  // The collation of the machine would sort and compare names in its own way; "C" is the same everywhere.
  const { rows: projects } = await sql<{ project: string }>`
    select distinct project collate "C" as project from port_ranges
    where project collate "C" > ${after} and ${visibleTo(access)}
    order by project limit ${limit + 1}`.execute(db);
  const names = projects.map(({ project }) => project);
  const summaries: ProjectSummary[] = [];
  for (let next = 0; ; ) {
    summaries.push(...(await summarize(db, names.slice(next, next + SUMMARIES_TOGETHER), space)));
    next += SUMMARIES_TOGETHER;
    const page = toPage(
      summaries,
      { limit, maxBytes },
      (summary) => summary,
      ({ project }) => [project],
    );
    if (page.nextCursor !== null || next >= names.length) return page;
  }
}

/** The names of all projects that the caller may see. There are some hundreds at most, because ports are finite. */
export async function listProjectNames(db: Kysely<Tables>, access: Access): Promise<string[]> {
  const rows = await db.selectFrom('port_ranges').select('project').distinct().where(visibleTo(access)).execute();
  return rows.map(({ project }) => project);
}

/** @throws AppError project-not-found, forbidden */
export async function summarizeProject(
  db: Kysely<Tables>,
  access: Access,
  project: string,
  space: Space,
): Promise<ProjectSummary> {
  access.requireProject(project);
  const [summary] = await summarize(db, [project], space);
  if (!summary) throw refusals.projectNotFound(project);
  return summary;
}

/** Summaries of those that have a range, in the order given. */
async function summarize(db: Kysely<Tables>, projects: string[], { host, protocol }: Space): Promise<ProjectSummary[]> {
  // One statement, so that counts and hostnames are of one moment.
  const { rows } = await sql<RangeRow & CountsRow & { hostnames: ProjectSummary['hostnames'] }>`
    select r.*, c.*, (
      select coalesce(jsonb_agg(jsonb_build_object(
        'port', a.port, 'service', a.service, 'cloudflareHostname', a.cloudflare_hostname) order by a.port), '[]')
      from port_allocations a
      where a.released_at is null and a.cloudflare_hostname is not null and a.project = r.project
        and a.host = ${host} and a.protocol = ${protocol} and a.port between r.start_port and r.end_port
    ) as hostnames
    from port_ranges r join range_counts(${host}, ${protocol}) c using (start_port)
    where r.project = any(${projects}::text[]) order by r.start_port`.execute(db);
  return projects.flatMap((project) => {
    const ranges = rows.filter((range) => range.project === project);
    const own = ranges.map(toRange);
    const [first] = own;
    if (!first) return [];
    return [
      {
        project,
        host,
        protocol,
        rangeStart: first.startPort,
        rangeEnd: first.endPort,
        ...sumCounts(own),
        ranges: own,
        hostnames: ranges.flatMap((range) => range.hostnames),
      },
    ];
  });
}

function sumCounts(ranges: Range[]) {
  const sum = (count: (range: Range) => number) => ranges.reduce((total, range) => total + count(range), 0);
  const totalPorts = sum((range) => range.totalPorts);
  const allocatedPorts = sum((range) => range.allocatedPorts);
  return {
    totalPorts,
    allocatedPorts,
    inUsePorts: sum((range) => range.inUsePorts),
    reservedPorts: sum((range) => range.reservedPorts),
    coolingPorts: sum((range) => range.coolingPorts),
    excludedPorts: sum((range) => range.excludedPorts),
    availablePorts: sum((range) => range.availablePorts),
    utilization: Math.round((allocatedPorts / totalPorts) * 10_000) / 100,
  };
}
