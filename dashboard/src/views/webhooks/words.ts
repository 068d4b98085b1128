import { EVENT_GROUPS, nameOfType, tellType } from '../../events/groups.js';
import type { Webhook } from '../../registry/api.js';

/** Which events a webhook gets: whole groups by their names, single types by theirs. */
export function tellTypes({ types }: Pick<Webhook, 'types'>): string {
  if (types.length === 0) return 'everything';
  const known = EVENT_GROUPS.flatMap((group) => group.types);
  const named = EVENT_GROUPS.flatMap((group) => {
    const chosen = group.types.filter((type) => types.includes(type));
    if (chosen.length === 0) return [];
    return chosen.length === group.types.length ? group.name : `${group.name}: ${chosen.map(nameOfType).join(', ')}`;
  });
  return [...named, ...types.filter((type) => !known.includes(type)).map(tellType)].join('; ');
}
