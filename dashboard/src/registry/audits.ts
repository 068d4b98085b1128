import { computed } from '@preact/signals';
import { hasCovered } from '../../../src/client/liveness.js';
import type { Audit, AuditConflict } from './api.js';
import { nameSpot } from './port-space.js';
import { audits, excluded, heldBySpot, hostsInUse, ranges, reservationsBySpot } from './store.js';

/** The newest audit that has looked at what a project holds on a host; null if none is kept. */
export function auditOf(project: string, host: string): Audit | null {
  const known = newest.value;
  const place = `${project} ${host}`;
  let audit = known.get(place);
  if (audit === undefined) {
    audit = audits.value.find((one) => hasCovered(one, project, host)) ?? null;
    known.set(place, audit);
  }
  return audit;
}

/** What `auditOf` has found, by project and host, for as long as the audits are the same. */
const newest = computed<Map<string, Audit | null>>(() => {
  void audits.value;
  return new Map();
});

/** What the audits have found that is still so: of each port what the newest says that has looked at it. */
export const findings = computed<AuditConflict[]>(() =>
  audits.value.flatMap((audit, index) => {
    const newer = audits.value.slice(0, index);
    return audit.conflicts.filter(
      (finding) => isStillSo(finding) && !newer.some((other) => hasLookedAgain(other, finding)),
    );
  }),
);

/** By the name of the spot. */
export const findingsBySpot = computed<ReadonlyMap<string, AuditConflict[]>>(() => {
  const found = new Map<string, AuditConflict[]>();
  for (const finding of findings.value) {
    if (finding.port === null) continue;
    const spot = nameSpot({ ...finding, port: finding.port });
    found.set(spot, [...(found.get(spot) ?? []), finding]);
  }
  return found;
});

function hasLookedAgain(audit: Audit, { kind, port, project, host }: AuditConflict): boolean {
  return hasLookedFor(audit, kind, project ?? ownerOf(port), host);
}

/**
 * Whether an audit has looked for a kind of finding in a project on a host. Not every audit probes the ports that
 * nobody holds, and one that was scheduled does so on the machine of the service alone.
 */
export function hasLookedFor(audit: Audit, kind: AuditConflict['kind'], project: string | null, host: string): boolean {
  return hasCovered(audit, project, host) && (kind !== 'squatter' || audit.fullyProbedHosts.includes(host));
}

/** The project in whose range a port is. */
export function ownerOf(port: number | null): string | null {
  if (port === null) return null;
  return ranges.value.find(({ startPort, endPort }) => startPort <= port && port <= endPort)?.project ?? null;
}

/**
 * Whether a finding can still be true: not if the port has another holder by now, was found listening since, or was
 * excluded, which is what one does with a port on which something else may listen.
 */
function isStillSo(finding: AuditConflict): boolean {
  const { kind, port, host, service } = finding;
  if (port === null) return kind === 'duplicate-hostname' || hostsInUse.value.has(host);
  const spot = nameSpot({ ...finding, port });
  const holder = heldBySpot.value.get(spot);
  switch (kind) {
    case 'unreachable':
    case 'not-judged':
      return holder !== undefined;
    case 'squatter':
      return holder === undefined && !reservationsBySpot.value.has(spot) && !excluded.value.has(port);
    case 'reserved-in-use':
      return reservationsBySpot.value.has(spot);
    case 'foreign-listener':
      return holder?.service === service;
    case 'not-running':
      return holder?.status === 'allocated' && holder.service === service;
    case 'duplicate-hostname':
      return holder?.service === service && holder.cloudflareHostname !== null;
  }
}
