// What has to be changed in Cloudflare, so that the tunnel and its DNS records are in step with the registry. This file
// computes and does nothing else, so that what it never touches can be shown by tests with random states.
//
// What belongs to the registry:
// - A DNS record that is exactly as the registry makes them: a proxied CNAME to the tunnel, with MARK as its comment.
// - A rule of the tunnel that is exactly as the registry has written it. Rules have no comment. Therefore the services
//   that were written are remembered by hostname (migrations/0019_cloudflare.sql).
// Everything else belongs to others and stays as it is, also a rule or a record of the registry that somebody changed.
import { isDeepStrictEqual } from 'node:util';
import { toAsciiLowerCase } from '../../input/lower-case.js';
import type { CloudflareChange, CloudflareConflict } from '../../schemas/events/cloudflare.js';
import { covers, isWildcard, placeRules } from './rule-order.js';

/** The comment of the registry's DNS records. */
export const MARK = 'port-allocator: from the registry. Change the comment to keep the record as it is.';
const CATCH_ALL: Rule = { service: 'http_status:404' };
/** A name with one of these can have no CNAME besides. */
const BLOCKING_TYPES = ['A', 'AAAA', 'CNAME', 'NS'];

/** A hostname of the registry, and the address to which the tunnel has to bring its requests. */
export interface Route {
  hostname: string;
  service: string;
}

export interface Rule {
  hostname?: string | undefined;
  service: string;
  path?: string | undefined;
  [other: string]: unknown;
}

/** Of the tunnel, as Cloudflare has it; fields that are not listed are kept. */
export interface TunnelConfiguration {
  ingress?: Rule[] | undefined;
  [other: string]: unknown;
}

export interface Zone {
  id: string;
  name: string;
}

export interface DnsRecord {
  id: string;
  zoneId: string;
  type: string;
  name: string;
  content?: string | undefined;
  proxied?: boolean | undefined;
  comment?: string | null | undefined;
}

export interface Remote {
  tunnelId: string;
  /** Cloudflare counts it up with every change of the configuration. */
  version: number;
  config: TunnelConfiguration | null;
  zones: readonly Zone[];
  records: readonly DnsRecord[];
}

/** By hostname, every service that may stand in a rule that the registry has written. */
export type Remembered = ReadonlyMap<string, readonly string[]>;

export interface Plan {
  changes: CloudflareChange[];
  conflicts: CloudflareConflict[];
  /** The version that the plan is made for. */
  version: number;
  /** The whole configuration to write; null if it is to stay as it is. */
  config: TunnelConfiguration | null;
  deletions: DnsRecord[];
  creations: { hostname: string; zoneId: string }[];
  /** The registry's rules as they are once the plan is carried out. */
  rules: ReadonlyMap<string, string>;
  /** Hostnames of which nothing of the registry is left then. */
  forgotten: string[];
}

export const targetOf = (tunnelId: string): string => `${tunnelId}.cfargotunnel.com`;

/** Whether a record is exactly as the registry makes them. */
export function isMarked({ type, content, proxied, comment }: DnsRecord, tunnelId: string): boolean {
  return type === 'CNAME' && content === targetOf(tunnelId) && proxied === true && comment === MARK;
}

/** @param desired with one route for each hostname */
export function plan(desired: readonly Route[], remote: Remote, remembered: Remembered): Plan {
  const conflicts: CloudflareConflict[] = [];
  const tell = (kind: CloudflareConflict['kind'], hostname: string, detail: string) =>
    conflicts.push({ kind, hostname, detail });
  const wanted = new Map(desired.map(({ hostname, service }) => [hostname, service]));
  const zoneOf = (hostname: string) => findZone(remote.zones, hostname);
  const routes = desired.filter(({ hostname }) => zoneOf(hostname) !== null);
  for (const { hostname } of desired.filter(({ hostname }) => zoneOf(hostname) === null)) {
    tell('outside-zones', hostname, 'It is in none of the zones of CLOUDFLARE_ZONES, so nothing is done for it.');
  }
  const records = new Map<string, DnsRecord[]>();
  for (const record of remote.records) {
    const name = toAsciiLowerCase(record.name);
    records.set(name, [...(records.get(name) ?? []), record]);
  }
  const marked = (hostname: string) =>
    records.get(hostname)?.find((record) => isMarked(record, remote.tunnelId)) ?? null;

  // Rules
  const ingress = remote.config?.ingress ?? [];
  const isOwn = (rule: Rule) => {
    const hostname = nameOf(rule);
    if (!isPlain(rule) || (wanted.has(hostname) && zoneOf(hostname) === null)) return false;
    if (remembered.get(hostname)?.includes(rule.service)) return true;
    // The registry was restored from a backup, or somebody marks the record to hand both over.
    return wanted.get(hostname) === rule.service && marked(hostname) !== null;
  };
  const own = new Map<string, Rule>();
  for (const rule of ingress.filter(isOwn).toReversed()) own.set(nameOf(rule), rule);
  const others = ingress.filter((rule) => !isOwn(rule));
  const namesOfOthers = new Set(others.map(nameOf));
  const isOurs = ({ hostname }: Route) => !namesOfOthers.has(hostname);
  const toRule = ({ hostname, service }: Route): Rule => {
    const standing = own.get(hostname);
    return standing?.service === service ? standing : { hostname, service };
  };
  const target = placeRules(routes.filter(isOurs).map(toRule), others, CATCH_ALL);
  for (const hostname of findShadowed(target, own, routes.filter(isOurs))) {
    tell('shadowed', hostname, 'A rule of somebody else in front of it takes its requests; move that rule behind it.');
  }
  for (const { hostname } of routes.filter((route) => !isOurs(route))) {
    tell(
      'rule-of-others',
      hostname,
      'The tunnel has a rule for it that is not as the registry wrote it; delete that one.',
    );
  }

  // DNS records
  const deletions: DnsRecord[] = [];
  const creations: Plan['creations'] = [];
  for (const { hostname } of routes) {
    const blocking = records.get(hostname)?.filter(({ type }) => BLOCKING_TYPES.includes(type)) ?? [];
    if (marked(hostname) !== null) continue;
    if (blocking.length > 0) tell('record-of-others', hostname, describeRecord(blocking[0] as DnsRecord));
    else if (!namesOfOthers.has(hostname)) creations.push({ hostname, zoneId: zoneOf(hostname)?.id as string });
  }
  for (const record of remote.records) {
    const hostname = toAsciiLowerCase(record.name);
    if (wanted.has(hostname) || !isMarked(record, remote.tunnelId)) continue;
    if (remembered.has(hostname)) deletions.push(record);
    else tell('unknown-record', hostname, 'The record has the mark of a registry, and this one did not make it.');
  }
  const forgotten = [...remembered.keys()].filter((hostname) => !wanted.has(hostname));
  for (const hostname of forgotten) {
    if (namesOfOthers.has(hostname)) {
      tell(
        'rule-of-others',
        hostname,
        'The hostname was given up. Its rule was changed by somebody else, and is left.',
      );
    }
    const left = records.get(hostname)?.find((record) => record.comment === MARK && !isMarked(record, remote.tunnelId));
    if (left)
      tell('record-of-others', hostname, 'It was given up. Its record was changed by somebody else, and is left.');
  }

  const ruleChanges = compareRules(own, target, routes.filter(isOurs), ingress);
  const isSame = isDeepStrictEqual(target, ingress);
  return {
    changes: [
      ...deletions.map((record) => recordChange('delete', record.name, remote.tunnelId)),
      ...ruleChanges,
      ...creations.map(({ hostname }) => recordChange('create', hostname, remote.tunnelId)),
    ],
    conflicts,
    version: remote.version,
    config: isSame || ruleChanges.length === 0 ? null : { ...remote.config, ingress: target },
    deletions,
    creations,
    rules: new Map(routes.filter(isOurs).map(({ hostname, service }) => [hostname, service])),
    forgotten,
  };
}

const nameOf = ({ hostname }: Rule): string => toAsciiLowerCase(hostname ?? '');

/** Whether a rule says nothing but where a hostname leads, as those of the registry. */
function isPlain({ hostname, service, path, originRequest, ...others }: Rule): boolean {
  const isEmpty = (value: unknown) => value === undefined || isDeepStrictEqual(value, {}) || value === '';
  return hostname !== undefined && hostname !== '' && [path, originRequest, ...Object.values(others)].every(isEmpty);
}

/** The zone with the longest name, since a zone may be below another one. */
function findZone(zones: readonly Zone[], hostname: string): Zone | null {
  const matching = zones.filter(({ name }) => hostname === name || hostname.endsWith(`.${name}`));
  return matching.sort((a, b) => b.name.length - a.name.length)[0] ?? null;
}

function describeRecord({ type, content = '' }: DnsRecord): string {
  return `There is a ${type} record for it (${content}) that is not as the registry makes them; delete that one.`;
}

function findShadowed(target: readonly Rule[], own: ReadonlyMap<string, Rule>, routes: readonly Route[]): string[] {
  const names = new Set([...own.keys(), ...routes.map(({ hostname }) => hostname)]);
  return routes
    .map(({ hostname }) => hostname)
    .filter((hostname) => {
      const before = target.slice(
        0,
        target.findIndex((rule) => nameOf(rule) === hostname),
      );
      return isWildcard(hostname) && before.some((rule) => !names.has(nameOf(rule)) && covers(nameOf(rule), hostname));
    });
}

function recordChange(action: 'create' | 'delete', hostname: string, tunnelId: string): CloudflareChange {
  const content = targetOf(tunnelId);
  return { action, kind: 'record', hostname, ...before(action, content) };
}

const before = (action: 'create' | 'delete', value: string) =>
  action === 'create' ? { before: null, after: value } : { before: value, after: null };

function compareRules(
  own: ReadonlyMap<string, Rule>,
  target: readonly Rule[],
  routes: readonly Route[],
  ingress: readonly Rule[],
): CloudflareChange[] {
  const wanted = new Map(routes.map(({ hostname, service }) => [hostname, service]));
  const changes: CloudflareChange[] = [];
  for (const [hostname, service] of wanted) {
    const was = own.get(hostname)?.service;
    if (was === undefined) changes.push({ action: 'create', kind: 'rule', hostname, before: null, after: service });
    else if (was !== service) changes.push({ action: 'update', kind: 'rule', hostname, before: was, after: service });
  }
  for (const [hostname, { service }] of own) {
    if (!wanted.has(hostname)) changes.push({ action: 'delete', kind: 'rule', hostname, before: service, after: null });
  }
  // Rules of the registry that stand at another place among those that stay.
  const stays = (rules: readonly Rule[], others: readonly Rule[]) =>
    rules.map(nameOf).filter((name) => others.some((other) => nameOf(other) === name));
  const from = stays(ingress, target);
  stays(target, ingress).forEach((hostname, place) => {
    const service = wanted.get(hostname);
    if (service === undefined || from[place] === hostname || changes.length > 0) return;
    changes.push({ action: 'move', kind: 'rule', hostname, before: service, after: service });
  });
  return changes;
}
