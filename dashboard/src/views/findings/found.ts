import { computed } from '@preact/signals';
import { ownProjectNames } from '../../access/own-projects.js';
import { parameter } from '../../place.js';
import type { Audit, AuditConflict } from '../../registry/api.js';
import { auditOf, findings, hasLookedFor, ownerOf } from '../../registry/audits.js';
import { host, project } from '../../registry/filters.js';
import { DEFAULT_SPACE, nameSpot, type Spot } from '../../registry/port-space.js';
import type { AuditScope } from '../../registry/run-audit.js';
import { audits, held } from '../../registry/store.js';
import { type FindingKind, KINDS, WORST_FIRST } from './kinds.js';

/** A finding with where it was found, and by which audit. */
export interface Found {
  key: string;
  finding: AuditConflict;
  audit: Audit;
  /** Null for what is about all ports of a host. */
  spot: Spot | null;
  /** Who holds the port, or in whose range it is. */
  project: string | null;
}

const kindWanted = parameter('kind');
/** The kind that is shown alone; null for all. */
export const kind = computed(() => (Object.hasOwn(KINDS, kindWanted.value) ? (kindWanted.value as FindingKind) : null));

const auditOfFinding = computed(
  () => new Map(audits.value.flatMap((audit) => audit.conflicts.map((finding) => [finding, audit] as const))),
);

const allFound = computed<Found[]>(() =>
  findings.value.flatMap((finding) => {
    const audit = auditOfFinding.value.get(finding);
    if (audit === undefined) return [];
    const { port, host, protocol, kind, project } = finding;
    const spot = port === null ? null : { port, host, protocol };
    const key = `${kind} ${spot === null ? host : nameSpot(spot)}`;
    return [{ key, finding, audit, spot, project: project ?? ownerOf(port) }];
  }),
);

/**
 * What is shown, by kind, worst first, and last the kinds that this page does not know. Kinds without findings are
 * empty.
 */
export const foundByKind = computed<ReadonlyMap<FindingKind, Found[]>>(() => {
  const byKind = new Map<FindingKind, Found[]>(WORST_FIRST.map((kind) => [kind, []]));
  for (const one of allFound.value) {
    if (host.value !== '' && one.finding.host !== host.value) continue;
    // What is about a whole host concerns every project on it.
    if (project.value !== '' && one.project !== project.value && one.spot !== null) continue;
    const known = byKind.get(one.finding.kind);
    if (known === undefined) byKind.set(one.finding.kind, [one]);
    else known.push(one);
  }
  for (const found of byKind.values()) {
    found.sort((a, b) => (a.spot?.port ?? 0) - (b.spot?.port ?? 0) || a.key.localeCompare(b.key));
  }
  return byKind;
});

/** What an audit of what is shown probes. */
export const scopeOfFilters = (): AuditScope => ({
  ...(project.value !== '' && { project: project.value }),
  ...(host.value !== '' && { host: host.value }),
});

/** A project on a host. */
export interface Place {
  project: string;
  host: string;
}

/** Where findings are asked for: the projects and hosts that the filters leave. */
const places = computed<Place[]>(() => {
  const used = new Map(ownProjectNames.value.map((name) => [name, new Set<string>()]));
  for (const { project, host } of held.value.values()) used.get(project)?.add(host);
  return [...used].flatMap(([name, hosts]) => {
    if (project.value !== '' && name !== project.value) return [];
    if (host.value !== '') return [{ project: name, host: host.value }];
    const elsewhere = [...hosts].filter((one) => one !== DEFAULT_SPACE.host).sort();
    const here = hosts.size === 0 || elsewhere.length < hosts.size ? [DEFAULT_SPACE.host] : [];
    return [...here, ...elsewhere].map((one) => ({ project: name, host: one }));
  });
});

/** By the newest audit that has looked at them, the places; newest first, and last those that none has looked at. */
export const checked = computed<{ audit: Audit | null; places: Place[] }[]>(() => {
  const byAudit = new Map<Audit | null, Place[]>();
  for (const place of places.value) {
    const audit = auditOf(place.project, place.host);
    const known = byAudit.get(audit);
    if (known === undefined) byAudit.set(audit, [place]);
    else known.push(place);
  }
  const when = (audit: Audit | null) => audit?.checkedAt ?? '';
  return [...byAudit]
    .map(([audit, places]) => ({ audit, places }))
    .sort((a, b) => when(b.audit).localeCompare(when(a.audit)));
});

/** Where the kept audits have looked for a kind of finding, and where none has. */
export function whereLookedFor(kind: FindingKind): { looked: Place[]; not: Place[] } {
  const looked: Place[] = [];
  const not: Place[] = [];
  for (const place of places.value) {
    const hasLooked = audits.value.some((audit) => hasLookedFor(audit, kind, place.project, place.host));
    (hasLooked ? looked : not).push(place);
  }
  return { looked, not };
}
