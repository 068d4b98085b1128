import { plural } from '../../format.js';
import type { CloudflareChange, CloudflareConflict } from './read-cloudflare.js';

const VERBS: Record<CloudflareChange['action'], string> = {
  create: 'made',
  update: 'changed',
  move: 'moved',
  delete: 'deleted',
};
const THINGS: Record<CloudflareChange['kind'], string> = { rule: 'rule', record: 'DNS record' };

/** `rule made`, `DNS record deleted`. */
export const nameChange = ({ action, kind }: CloudflareChange): string => `${THINGS[kind]} ${VERBS[action]}`;

/** What a change does to requests for its hostname. */
export function describeChange({ action, kind, before, after }: CloudflareChange): string {
  if (kind === 'record') {
    return action === 'delete' ? 'Its name leads to the tunnel no more.' : 'Its name leads to the tunnel.';
  }
  if (action === 'create') return `Requests for it go to ${after}.`;
  if (action === 'update') return `Requests for it go to ${after}, and no more to ${before}.`;
  if (action === 'move') return `Requests for it still go to ${after}; other rules take fewer of them.`;
  return `Requests for it go no more to ${before}.`;
}

/** `4 changes: 2 rules made, 2 DNS records made`. */
export function summarize(changes: readonly CloudflareChange[]): string {
  const counts = new Map<string, { count: number; change: CloudflareChange }>();
  for (const change of changes) {
    const name = nameChange(change);
    counts.set(name, { count: (counts.get(name)?.count ?? 0) + 1, change });
  }
  const parts = [...counts.values()].map(
    ({ count, change: { action, kind } }) => `${plural(count, THINGS[kind])} ${VERBS[action]}`,
  );
  return `${plural(changes.length, 'change')}: ${parts.join(', ')}`;
}

export const CONFLICTS: Record<CloudflareConflict['kind'], string> = {
  'claimed-twice': 'Wanted by several',
  'outside-zones': 'In none of the zones',
  'rule-of-others': 'Has a rule of somebody else',
  'record-of-others': 'Has a DNS record of somebody else',
  'unknown-record': 'Has a DNS record of another registry',
  shadowed: 'Taken by an earlier rule',
  refused: 'Not accepted by Cloudflare',
  overwritten: 'Changed by two at once',
};
