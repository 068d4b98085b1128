import type { Tool as PublishedTool } from '@modelcontextprotocol/server';
import type { TSchema } from '@sinclair/typebox';
import { isJsonText } from './inputs.js';
import type { Tool } from './tool.js';

/**
 * What an agent needs to fill in a schema. Everything else is left out, because it takes room in the context of every
 * agent, and because it does not travel: some clients drop formats, patterns, bounds or defaults on the way to a model,
 * and some models' APIs refuse the tool for one (test/mcp-client-schemas). An input that breaks such a rule is refused
 * with the rule.
 */
const PUBLISHED = ['type', 'description', 'properties', 'required', 'items', 'enum', 'additionalProperties'];

/**
 * The hints that a client assumes where none is given (MCP, ToolAnnotations). That a tool is destructive is assumed too,
 * and said all the same, because clients ask the user for leave by it.
 */
const ASSUMED: { [hint: string]: boolean } = { readOnlyHint: false, idempotentHint: false, openWorldHint: true };

/** A tool as `tools/list` shows it. */
export function publish({ name, description, input, output, annotations }: Tool): PublishedTool {
  const hints = Object.entries(annotations).filter(([hint, value]) => ASSUMED[hint] !== value);
  return {
    name,
    description,
    inputSchema: publishSchema(input) as PublishedTool['inputSchema'],
    ...(output && { outputSchema: publishSchema(output) as PublishedTool['outputSchema'] }),
    annotations: Object.fromEntries(hints),
  };
}

function publishSchema(schema: TSchema): Record<string, unknown> {
  if (isJsonText(schema)) return { type: 'string', description: schema.description };
  const { type, properties, items, ...keywords } = Object.fromEntries(
    PUBLISHED.filter((keyword) => schema[keyword] !== undefined).map((keyword) => [keyword, schema[keyword]]),
  );
  return {
    type: Array.isArray(type) ? type.find((one) => one !== 'null') : type,
    ...keywords,
    ...(properties && { properties: mapValues(properties as Record<string, TSchema>, publishSchema) }),
    ...(items && { items: publishSchema(items as TSchema) }),
  };
}

function mapValues<T, U>(object: Record<string, T>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]));
}
