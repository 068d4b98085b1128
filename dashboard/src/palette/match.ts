import type { Command } from './command.js';

/** How a word of the search is found in a command, best first. */
const HOW = ['is a word of the name', 'begins one', 'is within the name', 'begins a keyword', 'is within one'] as const;

/** A command as it is searched: in lower case, its name and keywords cut into words. */
interface Searched {
  name: string;
  names: string[];
  keywords: string;
  others: string[];
}

const searched = new WeakMap<Command, Searched>();

function searchedOf(command: Command): Searched {
  const known = searched.get(command);
  if (known !== undefined) return known;
  const [name, keywords] = [command.name.toLowerCase(), command.keywords.toLowerCase()];
  const made = { name, names: cut(name), keywords, others: cut(keywords) };
  searched.set(command, made);
  return made;
}

const cut = (text: string): string[] => text.split(/[^\p{L}\p{N}]+/u).filter(Boolean);

/**
 * The commands that have all the words, best first. The places of the words in `HOW` are added up, and the smallest sum
 * is the best. So `3102` finds port 3102 before 31020, and `web` the service web before the view Webhooks, and that
 * before what has the word in its description. Commands with the same sum stay in their order.
 */
export function findCommands(commands: readonly Command[], words: readonly string[]): Command[] {
  const bySum: Command[][] = [];
  for (const command of commands) {
    const sum = sumOf(searchedOf(command), words);
    if (sum === null) continue;
    bySum[sum] ??= [];
    bySum[sum].push(command);
  }
  return bySum.flat();
}

/** @returns null if a word is not found */
function sumOf(command: Searched, words: readonly string[]): number | null {
  let sum = 0;
  for (const word of words) {
    const place = placeOf(command, word);
    if (place === null) return null;
    sum += HOW.indexOf(place);
  }
  return sum;
}

function placeOf({ name, names, keywords, others }: Searched, word: string): (typeof HOW)[number] | null {
  if (names.includes(word)) return 'is a word of the name';
  if (names.some((one) => one.startsWith(word)) || name.startsWith(word)) return 'begins one';
  if (name.includes(word)) return 'is within the name';
  if (others.some((one) => one.startsWith(word))) return 'begins a keyword';
  return keywords.includes(word) ? 'is within one' : null;
}
