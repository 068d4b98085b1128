import { type Liveness, livenessOf } from '../../../src/client/liveness.js';
import { caller } from '../access/caller.js';
import type { AuditConflict, Held } from './api.js';
import { auditOf, findingsBySpot, ownerOf } from './audits.js';
import { nameSpot, type Spot } from './port-space.js';
import { coolingBySpot, excluded, heldBySpot, reservationsBySpot } from './store.js';

export type PortState =
  | Exclude<Liveness, 'unprobed'>
  | 'held'
  | 'reserved'
  | 'cooling'
  | 'excluded'
  | 'conflict'
  | 'free'
  | 'unknown';

/** Every state, in the order in which legends and filters have them: what it is called, and what it means. */
export const STATES: Record<PortState, { name: string; meaning: string }> = {
  in_use: { name: 'In use', meaning: 'held, and found listening' },
  stopped: { name: 'Stopped', meaning: 'held, and not listening any more' },
  unseen: { name: 'Never seen', meaning: 'held, and no audit has found it listening' },
  unchecked: { name: 'Not checked yet', meaning: 'held, and no audit has looked since it was allocated' },
  held: { name: 'Held', meaning: 'held; UDP is not probed' },
  reserved: { name: 'Reserved', meaning: 'kept for a while' },
  conflict: { name: 'In conflict', meaning: 'the last audit found something wrong' },
  cooling: { name: 'Cooling down', meaning: 'released too recently for another service' },
  excluded: { name: 'Excluded', meaning: 'given to nobody unasked' },
  free: { name: 'Free', meaning: 'nobody has it' },
  unknown: { name: 'Not visible', meaning: 'in a range of a project that this key does not cover' },
};

/** Those that somebody may look for: of what the key of this page does not see, nothing is listed. */
export const VISIBLE_STATES = (Object.keys(STATES) as PortState[]).filter((state) => state !== 'unknown');

/** The state of a number. Reads signals, so that whoever shows it follows the registry. */
export function stateOf(spot: Spot, name: string = nameSpot(spot)): PortState {
  if (findingsBySpot.value.get(name)?.some(isConflict)) return 'conflict';
  const holder = heldBySpot.value.get(name);
  if (holder) return stateOfHeld(holder);
  if (reservationsBySpot.value.has(name)) return 'reserved';
  if (!isVisible(spot.port)) return 'unknown';
  if (excluded.value.has(spot.port)) return 'excluded';
  return coolingBySpot.value.has(name) ? 'cooling' : 'free';
}

/** Whether what is held of a number would be in the lists of this page. A key of some projects gets only theirs. */
function isVisible(port: number): boolean {
  const own = caller.value?.projects ?? null;
  if (own === null) return true;
  const owner = ownerOf(port);
  return owner === null || own.includes(owner);
}

/** The same of what is known to be held, and not in conflict. */
export function stateOfHeld(held: Held): PortState {
  const liveness = livenessOf(held, auditOf(held.project, held.host));
  return liveness === 'unprobed' ? 'held' : liveness;
}

/** A stopped service and an unreachable host are findings too, but nobody else uses the port. */
export function isConflict({ kind }: AuditConflict): boolean {
  return kind !== 'not-running' && kind !== 'unreachable' && kind !== 'not-judged';
}
