// What has to be changed in Cloudflare, so that the tunnel and its DNS records are in step with the registry. This file
// computes and does nothing else, so that what it never touches can be shown by tests with random states.
//
// What belongs to the registry:
// - A DNS record that is exactly as the registry makes them: a proxied CNAME to the tunnel, with MARK as its comment.
// - A rule of the tunnel that is exactly as the registry has written it. Rules have no comment. Therefore the services
//   that were written are remembered by hostname (migrations/0019_cloudflare.sql).
// Everything else belongs to others and stays as it is, also a rule or a record of the registry that somebody changed.
import type { CloudflareChange, CloudflareConflict } from '../../schemas/events/cloudflare.js';
import { planRecords, type RecordPlan } from './plan-records.js';
import { planRules } from './plan-rules.js';
import {
  type DnsRecord,
  findZone,
  isMarked,
  type Remote,
  recordName,
  type TunnelConfiguration,
  targetOf,
} from './remote.js';
import type { Remembered, Route, Situation } from './situation.js';

export interface Plan {
  /** Those of `deletions`, then those of the rules, then those of `creations`. */
  changes: CloudflareChange[];
  conflicts: CloudflareConflict[];
  /** The version that the plan is made for. */
  version: number;
  /** The whole configuration to write; null if it is to stay as it is. */
  config: TunnelConfiguration | null;
  ruleChanges: CloudflareChange[];
  deletions: DnsRecord[];
  creations: RecordPlan['creations'];
  /** The registry's rules as they are once the plan is carried out. */
  rules: ReadonlyMap<string, string>;
  /** Hostnames of which nothing of the registry is left then. */
  forgotten: string[];
}

/** @param desired with one route for each hostname */
export function plan(desired: readonly Route[], remote: Remote, remembered: Remembered): Plan {
  const marked = new Map<string, DnsRecord>();
  for (const record of remote.records) if (isMarked(record, remote.tunnelId)) marked.set(recordName(record), record);
  const situation: Situation = {
    wanted: new Map(desired.map(({ hostname, service }) => [hostname, service])),
    routes: desired.filter(({ hostname }) => findZone(remote.zones, hostname) !== null),
    remote,
    remembered,
    findMarked: (hostname) => marked.get(hostname) ?? null,
  };
  const outside = desired.filter((route) => !situation.routes.includes(route)).map(describeOutside);
  const rules = planRules(situation);
  const records = planRecords(situation, rules.written);
  return {
    changes: [
      ...records.deletions.map((record) => recordChange('delete', record.name, remote.tunnelId)),
      ...rules.changes,
      ...records.creations.map(({ hostname }) => recordChange('create', hostname, remote.tunnelId)),
    ],
    conflicts: [...outside, ...rules.conflicts, ...records.conflicts],
    version: remote.version,
    config: rules.changes.length === 0 ? null : { ...remote.config, ingress: rules.ingress },
    ruleChanges: rules.changes,
    deletions: records.deletions,
    creations: records.creations,
    rules: rules.written,
    forgotten: [...remembered.keys()].filter((hostname) => !situation.wanted.has(hostname)),
  };
}

export function recordChange(action: 'create' | 'delete', hostname: string, tunnelId: string): CloudflareChange {
  const target = targetOf(tunnelId);
  const [before, after] = action === 'create' ? [null, target] : [target, null];
  return { action, kind: 'record', hostname, before, after };
}

const describeOutside = ({ hostname }: Route): CloudflareConflict => ({
  kind: 'outside-zones',
  hostname,
  detail: 'It is in none of the zones of CLOUDFLARE_ZONES, so nothing is done for it.',
});
