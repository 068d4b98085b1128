// The part of a plan that is about the tunnel's rules.
import { isDeepStrictEqual } from 'node:util';
import type { CloudflareChange, CloudflareConflict } from '../../schemas/events/cloudflare.js';
import { findZone, type Rule } from './remote.js';
import { covers, hasPath, isWildcard, nameOf, placeRules } from './rule-order.js';
import type { Situation } from './situation.js';

const CATCH_ALL: Rule = { service: 'http_status:404' };

export interface RulePlan {
  /** All rules of the tunnel, as they have to be. */
  ingress: Rule[];
  changes: CloudflareChange[];
  conflicts: CloudflareConflict[];
  /** By hostname, the service of each rule of the registry in `ingress`. */
  written: ReadonlyMap<string, string>;
}

export function planRules(situation: Situation): RulePlan {
  const { routes, wanted, remembered } = situation;
  const before = situation.remote.config?.ingress ?? [];
  const own = new Map<string, Rule>();
  for (const rule of before) if (isOwn(rule, situation) && !own.has(nameOf(rule))) own.set(nameOf(rule), rule);
  const others = before.filter((rule) => !isOwn(rule, situation));
  // A rule for some paths leaves the others to the registry's rule behind it. One for all paths leaves it nothing.
  const taken = new Set(others.filter((rule) => !hasPath(rule)).map(nameOf));
  const free = routes.filter(({ hostname }) => !taken.has(hostname));
  const rules = free.map(({ hostname, service }): Rule => {
    const standing = own.get(hostname);
    return standing?.service === service ? standing : { hostname, service };
  });
  const ingress = placeRules(rules, others, CATCH_ALL);

  const conflicts: CloudflareConflict[] = [];
  const tell = (kind: CloudflareConflict['kind'], hostname: string, detail: string) =>
    conflicts.push({ kind, hostname, detail });
  for (const rule of rules.filter((one) => isShadowed(one, ingress, others))) {
    tell(
      'shadowed',
      nameOf(rule),
      'A rule of somebody else in front of it takes its requests; move that one behind it.',
    );
  }
  for (const { hostname } of routes.filter((route) => taken.has(route.hostname))) {
    const detail = 'The tunnel has a rule for it that is not as the registry wrote it; delete that one.';
    tell('rule-of-others', hostname, detail);
  }
  const namesOfOthers = new Set(others.map(nameOf));
  for (const hostname of remembered.keys()) {
    if (wanted.has(hostname) || !namesOfOthers.has(hostname)) continue;
    tell('rule-of-others', hostname, 'It was given up. A rule for it that somebody else made or changed is left.');
  }
  return {
    ingress,
    changes: compareRules(own, rules, before, ingress),
    conflicts,
    written: new Map(free.map(({ hostname, service }) => [hostname, service])),
  };
}

/** Whether the registry may change and delete the rule. It may not change those of a hostname that is in no zone. */
function isOwn(rule: Rule, { wanted, remote, remembered, findMarked }: Situation): boolean {
  const hostname = nameOf(rule);
  if (!isPlain(rule) || (wanted.has(hostname) && findZone(remote.zones, hostname) === null)) return false;
  if (remembered.get(hostname)?.includes(rule.service)) return true;
  // The registry was restored from a backup, or somebody marks the record to hand both over.
  return wanted.get(hostname) === rule.service && findMarked(hostname) !== null;
}

/** Whether a rule says nothing but where a hostname leads, as those of the registry. */
function isPlain({ hostname, service, path, originRequest, ...others }: Rule): boolean {
  const isEmpty = (value: unknown) => value === undefined || isDeepStrictEqual(value, {}) || value === '';
  return hostname !== undefined && hostname !== '' && [path, originRequest, ...Object.values(others)].every(isEmpty);
}

/** Whether a rule of others takes requests for a wildcard of the registry. Names stand where none does. */
function isShadowed(rule: Rule, ingress: readonly Rule[], others: readonly Rule[]): boolean {
  const hostname = nameOf(rule);
  if (!isWildcard(hostname)) return false;
  const inFront = ingress.slice(0, ingress.indexOf(rule)).filter((one) => others.includes(one));
  return inFront.some((one) => nameOf(one) !== hostname && covers(nameOf(one), hostname));
}

/**
 * @param own the registry's rules as they stand, by hostname
 * @param rules the registry's rules as they have to be
 */
function compareRules(
  own: ReadonlyMap<string, Rule>,
  rules: readonly Rule[],
  before: readonly Rule[],
  after: readonly Rule[],
): CloudflareChange[] {
  const changes: CloudflareChange[] = [];
  const kind = 'rule' as const;
  for (const rule of rules) {
    const hostname = nameOf(rule);
    const was = own.get(hostname);
    if (!was) changes.push({ action: 'create', kind, hostname, before: null, after: rule.service });
    else if (was !== rule) changes.push({ action: 'update', kind, hostname, before: was.service, after: rule.service });
  }
  const names = new Set(rules.map(nameOf));
  for (const [hostname, { service }] of own) {
    if (!names.has(hostname)) changes.push({ action: 'delete', kind, hostname, before: service, after: null });
  }
  if (changes.length > 0) return changes;
  // All rules are there. If some stand at other places, one of the registry that has to move is told for all of them.
  const stood = before.filter((rule) => after.includes(rule));
  const standing = after.filter((rule) => before.includes(rule));
  const moved = standing.find((rule, place) => rule !== stood[place] && rules.includes(rule));
  if (!moved) return [];
  return [{ action: 'move', kind, hostname: nameOf(moved), before: moved.service, after: moved.service }];
}
