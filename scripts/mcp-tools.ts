// npm run mcp:tools: what each tool takes of an agent's context, as the table of docs/mcp.md.
import { publish } from '../src/mcp/published.js';
import { coreTools, tools } from '../src/mcp/tools.js';

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const number = (value: number) => value.toLocaleString('en');

const rows = tools.map((tool) => {
  const { inputSchema, description, outputSchema, annotations } = publish(tool);
  const parts = [description, inputSchema, outputSchema ?? {}, annotations ?? {}].map(bytesOf);
  const shown = coreTools.includes(tool) ? 'core' : 'all';
  return [`\`${tool.name}\``, shown, ...[bytesOf(publish(tool)), ...parts].map(number)];
});
const totals = [coreTools, tools].map((some, i) => [
  i === 0 ? 'core tools' : 'all tools',
  '',
  number(bytesOf({ tools: some.map(publish) })),
  ...['', '', '', ''],
]);
const head = ['tool', 'shown', 'bytes', 'description', 'inputs', 'outputs', 'hints'];
const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
process.stdout.write(
  [line(head), line(['---', '---', ...head.slice(2).map(() => '---:')]), ...[...rows, ...totals].map(line), ''].join(
    '\n',
  ),
);
