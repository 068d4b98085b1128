// The part of a plan that is about DNS records.
import type { CloudflareConflict } from '../../schemas/events/cloudflare.js';
import { type DnsRecord, findZone, isMarked, MARK, recordName } from './remote.js';
import type { Situation } from './situation.js';

/** A name with one of these can have no CNAME besides. */
const BLOCKING_TYPES = ['A', 'AAAA', 'CNAME', 'NS'];

export interface RecordPlan {
  deletions: DnsRecord[];
  creations: { hostname: string; zoneId: string }[];
  conflicts: CloudflareConflict[];
}

/** @param rules the registry's rules. A hostname without one gets no record, which would lead to nothing. */
export function planRecords(situation: Situation, rules: ReadonlyMap<string, string>): RecordPlan {
  const { routes, wanted, remote, remembered, findMarked } = situation;
  const records = new Map<string, DnsRecord[]>();
  for (const record of remote.records) {
    records.set(recordName(record), [...(records.get(recordName(record)) ?? []), record]);
  }
  const conflicts: CloudflareConflict[] = [];
  const tell = (kind: CloudflareConflict['kind'], hostname: string, detail: string) =>
    conflicts.push({ kind, hostname, detail });

  const creations: RecordPlan['creations'] = [];
  for (const { hostname } of routes) {
    if (findMarked(hostname) !== null) continue;
    const blocking = records.get(hostname)?.find(({ type }) => BLOCKING_TYPES.includes(type));
    if (blocking) tell('record-of-others', hostname, describeRecord(blocking));
    else if (rules.has(hostname)) creations.push({ hostname, zoneId: findZone(remote.zones, hostname)?.id as string });
  }

  const deletions: DnsRecord[] = [];
  for (const record of remote.records) {
    const hostname = recordName(record);
    if (wanted.has(hostname) || !isMarked(record, remote.tunnelId)) continue;
    if (remembered.has(hostname)) deletions.push(record);
    else tell('unknown-record', hostname, 'The record has the mark of a registry, and this one did not make it.');
  }
  for (const hostname of remembered.keys()) {
    if (wanted.has(hostname)) continue;
    const left = records.get(hostname)?.find((one) => one.comment === MARK && !isMarked(one, remote.tunnelId));
    if (left)
      tell('record-of-others', hostname, 'It was given up. Its record was changed by somebody else, and is left.');
  }
  return { creations, deletions, conflicts };
}

function describeRecord({ type, content = '' }: DnsRecord): string {
  return `There is a ${type} record for it (${content}) that is not as the registry makes them; delete that one.`;
}
