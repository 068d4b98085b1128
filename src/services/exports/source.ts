import { isIP } from 'node:net';
import type { Session } from '../../registry/session.js';
import {
  type ExportedPort,
  type ExportedRoute,
  findExportedPorts,
  findExportedRoutes,
} from '../../repositories/reports/exports.js';
import type { ExportQuery } from '../../schemas/export.js';
import { findForbiddenRange } from '../../schemas/host.js';

/** How many rows are read together. Each of these queries ends at once, so that a slow reader keeps no connection. */
const PAGE_ROWS = 500;

/** What is exported, page after page. What changes between two pages may be missing or be of either time. */
export interface ExportSource {
  /** Every active allocation, in the order of project, environment, service, host, protocol and port. */
  ports(): AsyncIterable<readonly ExportedPort[]>;
  /** The TCP ports, at an address that may be connected to. */
  targets(): AsyncIterable<readonly ExportedPort[]>;
  /** Of these, the ones that own a Cloudflare hostname, in cloudflared's order. */
  routes(): AsyncIterable<readonly ExportedRoute[]>;
}

export function readExported(session: Session, query: ExportQuery): ExportSource {
  const ports = () => readPages<ExportedPort>((after) => session.read(findExportedPorts, query, after, PAGE_ROWS));
  const routes = () => readPages<ExportedRoute>((after) => session.read(findExportedRoutes, query, after, PAGE_ROWS));
  return {
    ports,
    targets: () => filterPages(ports(), (port) => port.protocol === 'tcp' && mayBeReached(port)),
    routes: () => filterPages(routes(), mayBeReached),
  };
}

async function* readPages<Row>(read: (after: Row | null) => Promise<Row[]>): AsyncGenerator<Row[]> {
  let after: Row | null = null;
  for (;;) {
    const rows: Row[] = await read(after);
    yield rows;
    if (rows.length < PAGE_ROWS) return;
    after = rows.at(-1) as Row;
  }
}

export async function* filterPages<Row>(
  pages: AsyncIterable<readonly Row[]>,
  isWanted: (row: Row) => boolean,
): AsyncGenerator<Row[]> {
  for await (const page of pages) yield page.filter(isWanted);
}

/** A program that reads the export would connect to a forbidden address with rights of its own, so it gets none. */
function mayBeReached({ host }: ExportedPort): boolean {
  return isIP(host) === 0 || findForbiddenRange(host) === null;
}
