import leven from 'leven';

/** One letter of three may differ, and in a word of two letters one. */
const MAX_DISTANCE_SHARE = 1 / 3;
const MIN_PREFIX_LENGTH = 3;

/**
 * Of the known words those that somebody may have meant, the most similar first. A word is similar if few letters
 * differ, if only case and separators differ (`myShop`, `my-shop`), or if one word is the beginning of the other.
 */
export function findClosest(word: string, known: readonly string[], most: number): string[] {
  const plain = withoutSeparators(word);
  return known
    .map((other) => ({ other, distance: distanceOf(plain, withoutSeparators(other)) }))
    .filter(({ distance }) => distance !== null)
    .sort((a, b) => (a.distance as number) - (b.distance as number) || (a.other < b.other ? -1 : 1))
    .slice(0, most)
    .map(({ other }) => other);
}

const withoutSeparators = (word: string): string => word.toLowerCase().replace(/[._-]+/g, '');

/** @returns null if the words are not similar */
function distanceOf(a: string, b: string): number | null {
  const length = Math.min(a.length, b.length);
  const limit = Math.max(1, Math.floor(Math.max(a.length, b.length) * MAX_DISTANCE_SHARE));
  // With `maxDistance`, every larger distance is answered as that one.
  const distance = leven(a, b, { maxDistance: limit + 1 });
  if (distance <= limit && distance < length) return distance;
  const isBeginning = length >= MIN_PREFIX_LENGTH && (a.startsWith(b) || b.startsWith(a));
  return isBeginning ? limit + 1 : null;
}
