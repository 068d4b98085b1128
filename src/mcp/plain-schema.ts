import { components } from '../schemas/components.js';

/** A JSON Schema as MCP clients get it. */
export type PlainSchema = { type: 'object'; [keyword: string]: unknown };

/**
 * Converts a schema to one that any client understands: references are inlined, and keywords that only this project
 * uses are removed. Examples are removed too, because they take room in the context of every agent and say no more than
 * the names and descriptions.
 */
export function toPlainSchema(schema: object): PlainSchema {
  return convert(schema, ['$id', 'examples']);
}

/**
 * The same for what a tool answers. Texts have no greatest length there: what cannot be seen in them is written out, and
 * clients check an answer against this schema.
 */
export function toPlainOutputSchema(schema: object): PlainSchema {
  return convert(schema, ['$id', 'examples', 'maxLength']);
}

function convert(schema: object, removed: readonly string[]): PlainSchema {
  const { $ref } = schema as { $ref?: string };
  if ($ref !== undefined) return convert(findComponent($ref), removed);
  const plain = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(plain);
    return typeof value === 'object' && value !== null ? convert(value, removed) : value;
  };
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([keyword]) => !removed.includes(keyword) && !keyword.startsWith('x-'))
      .map(([keyword, value]) => [keyword, keyword === 'properties' ? mapValues(value, plain) : plain(value)]),
  ) as PlainSchema;
}

function findComponent(id: string): object {
  const component = components.find(({ $id }) => $id === id);
  if (!component) throw new Error(`${id} is not listed in schemas/components.ts`);
  return component;
}

function mapValues<T, U>(object: Record<string, T>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]));
}
