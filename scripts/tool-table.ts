import { publish } from '../src/mcp/published.js';
import { coreTools, tools } from '../src/mcp/tools.js';

const HEAD = ['tool', 'shown', 'bytes', 'description', 'inputs', 'outputs', 'hints'];

/** What each tool takes of an agent's context, in bytes, as the table of docs/mcp.md. */
export function renderToolTable(): string {
  const rows = tools.map((tool) => {
    const { inputSchema, description, outputSchema, annotations } = publish(tool);
    const parts = [description, inputSchema, outputSchema, annotations].map((part) => (part ? bytesOf(part) : 0));
    const shown = coreTools.includes(tool) ? 'core' : 'all';
    return [`\`${tool.name}\``, shown, ...[bytesOf(publish(tool)), ...parts].map(grouped)];
  });
  const totals = [coreTools, tools].map((some, i) => [
    i === 0 ? 'core tools' : 'all tools',
    '',
    grouped(bytesOf({ tools: some.map(publish) })),
    ...['', '', '', ''],
  ]);
  const rule = ['---', '---', ...HEAD.slice(2).map(() => '---:')];
  return [HEAD, rule, ...rows, ...totals].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
const grouped = (value: number): string => value.toLocaleString('en');
