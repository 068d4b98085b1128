import { nameSpot, readSpot, type Spot } from '../../registry/port-space.js';
import { type Found, foundByKind } from './found.js';
import type { FindingKind } from './kinds.js';

// Several findings as they stand in the address bar. With the numbers of thousands, an address would be longer than a
// service takes.

/** All of a kind by its name. */
export const nameAll = (kind: FindingKind): string => kind;

/** Spots with commas between them, and those in a row as `3100-3199`. */
export function nameSpots(found: readonly Found[]): string {
  const sorted = found
    .flatMap(({ spot }) => spot ?? [])
    .sort((a, b) => spaceOf(a).localeCompare(spaceOf(b)) || a.port - b.port);
  const runs: { first: Spot; last: Spot }[] = [];
  for (const spot of sorted) {
    const run = runs.at(-1);
    if (run && spaceOf(run.last) === spaceOf(spot) && run.last.port + 1 === spot.port) run.last = spot;
    else runs.push({ first: spot, last: spot });
  }
  return runs.map(({ first, last }) => nameRun(first, last)).join(',');
}

const spaceOf = ({ host, protocol }: Spot): string => `${host} ${protocol}`;

const nameRun = (first: Spot, last: Spot): string =>
  nameSpot(first).replace(/(\d+)(\/udp)?$/, first === last ? '$1$2' : `$1-${last.port}$2`);

/** The spots of all of a kind, or those that are named. What names none is left out. */
export function readSpots(text: string): Spot[] {
  const all = foundByKind.value.get(text as FindingKind);
  return all === undefined ? readNamed(text) : all.flatMap(({ spot }) => spot ?? []);
}

function readNamed(text: string): Spot[] {
  return text.split(',').flatMap((name) => {
    const [, before = '', first, last, after = ''] = /^(.+:)?(\d{1,5})-(\d{1,5})(\/udp)?$/.exec(name) ?? [];
    if (first === undefined || last === undefined) return readSpot(name) ?? [];
    const count = Number(last) - Number(first) + 1;
    return Array.from({ length: Math.max(0, count) }, (_, i) => `${before}${Number(first) + i}${after}`).flatMap(
      (one) => readSpot(one) ?? [],
    );
  });
}
