import { components } from '../schemas/components.js';

/** A JSON Schema as MCP clients get it. */
export type PlainSchema = { type: 'object'; [keyword: string]: unknown };

/**
 * Converts a schema to one that any client understands: references are inlined, and keywords that only this project
 * uses are removed. Examples are removed too, because they take room in the context of every agent and say no more than
 * the names and descriptions.
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
