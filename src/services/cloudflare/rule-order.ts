// The order of a tunnel's rules. The first rule that matches a request counts, and the last one has to match all.
import { toAsciiLowerCase } from '../../input/lower-case.js';

interface Ordered {
  hostname?: string | undefined;
  path?: string | undefined;
}

export const isWildcard = (hostname: string): boolean => hostname.startsWith('*');

/** Whether a rule for `pattern` also matches every request for `hostname`. A wildcard stands for one label or more. */
export function covers(pattern: string, hostname: string): boolean {
  if (pattern === '' || pattern === '*') return true;
  return pattern === hostname || (pattern.startsWith('*.') && hostname.endsWith(pattern.slice(1)));
}

/**
 * Puts the registry's rules among those of others, which keep their order. Names come first. A wildcard comes behind
 * every rule that is more particular, and in front of the first one that would take its requests. The rule that matches
 * all stays the last.
 * @param own in the order in which they have to be tried
 * @param catchAll for a configuration that has no rule that matches all
 */
export function placeRules<R extends Ordered>(own: readonly R[], others: readonly R[], catchAll: R): R[] {
  const last = others.at(-1);
  const hasCatchAll = last !== undefined && nameOf(last) === '' && (last.path ?? '') === '';
  const rules = [...own.filter((rule) => !isWildcard(nameOf(rule))), ...(hasCatchAll ? others.slice(0, -1) : others)];
  for (const rule of own.filter((rule) => isWildcard(nameOf(rule)))) {
    const wildcard = nameOf(rule);
    const behind = rules.findLastIndex((one) => covers(wildcard, nameOf(one))) + 1;
    const shadow = rules.findIndex((one) => covers(nameOf(one), wildcard));
    rules.splice(shadow === -1 ? rules.length : Math.max(behind, shadow), 0, rule);
  }
  if (rules.length === 0 && last === undefined) return [];
  return [...rules, hasCatchAll ? last : catchAll];
}

const nameOf = ({ hostname }: Ordered): string => toAsciiLowerCase(hostname ?? '');
