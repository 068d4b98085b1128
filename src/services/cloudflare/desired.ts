import type { Session } from '../../registry/session.js';
import { findDuplicateHostnames } from '../../repositories/reports/exports.js';
import type { CloudflareConflict } from '../../schemas/events/cloudflare.js';
import { toTunnelRule } from '../exports/addresses.js';
import { readExported } from '../exports/source.js';
import type { Route } from './situation.js';

const MOST_DUPLICATES = 1000;

/** The hostnames of the registry with where they lead, as the exporter for cloudflared writes them. */
export async function readRoutes(session: Session): Promise<{ routes: Route[]; conflicts: CloudflareConflict[] }> {
  const routes: Route[] = [];
  for await (const page of readExported(session, {}).routes()) routes.push(...page.map(toTunnelRule));
  const duplicates = await session.read(findDuplicateHostnames, {}, MOST_DUPLICATES);
  const conflicts = duplicates.map((hostname) => ({
    kind: 'claimed-twice' as const,
    hostname,
    detail: describeDuplicate(routes.find((route) => route.hostname === hostname)),
  }));
  return { routes, conflicts };
}

const describeDuplicate = (route: Route | undefined): string =>
  route
    ? `Several allocations have it. It leads to ${route.service}, the oldest of the project that had it first.`
    : 'It is withheld from every allocation that has it, so nothing is done for it.';
