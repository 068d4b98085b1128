// The order of a tunnel's rules. The first rule that matches a request counts, and the last one has to match all.
import { toAsciiLowerCase } from '../../input/lower-case.js';

interface Ordered {
  hostname?: string | undefined;
  path?: string | undefined;
}

export const nameOf = ({ hostname }: Ordered): string => toAsciiLowerCase(hostname ?? '');

export const isWildcard = (hostname: string): boolean => hostname.startsWith('*');

/** Whether a rule is for some paths of its hostname alone, so that the requests for others go on to the next rule. */
export const hasPath = ({ path }: Ordered): boolean => (path ?? '') !== '';

/** Whether a rule for `pattern` also matches every request for `hostname`. A wildcard stands for one label or more. */
export function covers(pattern: string, hostname: string): boolean {
  if (pattern === '' || pattern === '*') return true;
  return pattern === hostname || (pattern.startsWith('*.') && hostname.endsWith(pattern.slice(1)));
}

/** Whether a rule matches every request. Cloudflare accepts such a rule as the last one only, and demands it there. */
const matchesAll = (rule: Ordered): boolean => ['', '*'].includes(nameOf(rule)) && !hasPath(rule);

/**
 * Puts the registry's rules among those of others, which keep their order. Names come first. A wildcard comes behind
 * every rule that is more particular, and in front of the first one that would take its requests. Both come behind the
 * rules of others for paths of the same hostname. The rule that matches all stays the last.
 * @param own in the order in which they have to be tried
 * @param catchAll for a configuration that has no rule that matches all
 */
export function placeRules<R extends Ordered>(own: readonly R[], others: readonly R[], catchAll: R): R[] {
  const last = others.at(-1);
  const hasCatchAll = last !== undefined && matchesAll(last);
  const rules = hasCatchAll ? others.slice(0, -1) : [...others];
  const names = own.filter((rule) => !isWildcard(nameOf(rule)));
  for (const rule of names) {
    const behind = findLastPathRule(rules, nameOf(rule));
    if (behind !== -1) rules.splice(behind + 1, 0, rule);
  }
  rules.unshift(...names.filter((rule) => !rules.includes(rule)));
  for (const rule of own.filter((rule) => isWildcard(nameOf(rule)))) {
    const wildcard = nameOf(rule);
    const behind = rules.findLastIndex((one) => covers(wildcard, nameOf(one))) + 1;
    const shadow = rules.findIndex((one) => covers(nameOf(one), wildcard));
    rules.splice(shadow === -1 ? rules.length : Math.max(behind, shadow), 0, rule);
  }
  if (rules.length === 0 && last === undefined) return [];
  return [...rules, hasCatchAll ? last : catchAll];
}

/**
 * Finds the last rule for a path of `hostname` that gets requests at all: one behind a rule that takes every request for
 * `hostname` gets none, and the registry's rule would get none behind it either.
 * @returns -1 if there is none
 */
function findLastPathRule(rules: readonly Ordered[], hostname: string): number {
  const taken = rules.findIndex((one) => !hasPath(one) && covers(nameOf(one), hostname));
  const reached = taken === -1 ? rules : rules.slice(0, taken);
  return reached.findLastIndex((one) => hasPath(one) && nameOf(one) === hostname);
}
