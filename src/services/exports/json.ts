/** The text that `JSON.stringify(document, null, 2)` gives for a list or a map, written while its elements are read. */

export interface Brackets {
  open: '[' | '{';
  close: ']' | '}';
}
export const LIST: Brackets = { open: '[', close: ']' };
export const MAP: Brackets = { open: '{', close: '}' };

/**
 * @param elements of a list: JSON texts from `toJson`; of a map: these with a name in front
 * @param indent of the line on which the list or map begins
 */
export async function* writeElements(
  pages: AsyncIterable<readonly string[]>,
  { open, close }: Brackets,
  indent: string,
): AsyncGenerator<string, void> {
  const inner = `\n${indent}  `;
  let isEmpty = true;
  for await (const page of pages) {
    if (page.length === 0) continue;
    const text = page.map((element) => inner + element.replaceAll('\n', inner)).join(',');
    yield (isEmpty ? open : ',') + text;
    isEmpty = false;
  }
  yield isEmpty ? open + close : `\n${indent}${close}`;
}

export const toJson = (value: unknown): string => JSON.stringify(value, null, 2);

export async function* mapPages<T, U>(
  pages: AsyncIterable<readonly T[]>,
  convert: (item: T) => U,
): AsyncGenerator<U[]> {
  for await (const page of pages) yield page.map(convert);
}
