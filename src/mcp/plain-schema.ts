import { components } from '../schemas/components.js';

/** JSON Schema as clients get it: a plain object. */
export type PlainSchema = { type: 'object'; [keyword: string]: unknown };

/**
 * A schema as any client understands it: references inlined, without the keywords that are ours alone. Examples
 * go too: they cost every agent context and say nothing that names and descriptions don't.
 */
export function toPlainSchema(schema: object): PlainSchema {
  const { $ref } = schema as { $ref?: string };
  if ($ref !== undefined) return toPlainSchema(findComponent($ref));
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([keyword]) => keyword !== '$id' && keyword !== 'examples' && !keyword.startsWith('x-'))
      .map(([keyword, value]) => [keyword, keyword === 'properties' ? mapValues(value, toPlainSchema) : plain(value)]),
  ) as PlainSchema;
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === 'object' && value !== null ? toPlainSchema(value) : value;
}

function findComponent(id: string): object {
  const component = components.find(({ $id }) => $id === id);
  if (!component) throw new Error(`${id} is not listed in schemas/components.ts`);
  return component;
}

function mapValues<T, U>(object: Record<string, T>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]));
}
