import { type Command, Option } from 'commander';
import { type Block, putBlock } from '../../client/env-file/block.js';
import { toComposeLines } from '../../client/env-file/compose.js';
import { replaceFile } from '../../client/env-file/replace-file.js';
import { toDotenvLines, toExportLines, toRecord } from '../../client/env-file/texts.js';
import { ClientFailure } from '../../client/failure.js';
import type { ManifestService } from '../../detection/manifest/content.js';
import { openContext } from '../context.js';
import type { Output } from '../output.js';
import { findHere } from './here.js';
import { readStack, type Stack } from './stack/stack.js';

const FORMATS = ['dotenv', 'export', 'json', 'compose'] as const;
type Format = (typeof FORMATS)[number];
/** The formats of a block in a file. */
type LineFormat = Exclude<Format, 'json'>;

interface EnvOptions {
  format?: Format;
  write?: string;
}

export function registerEnv(program: Command): void {
  program
    .command('env')
    .description('prints the variables of the whole stack: its ports, and what ports.yaml adds')
    .addOption(new Option('--format <format>', 'how (default: dotenv)').choices(FORMATS))
    .option('--write <file>', 'writes them into a marked block of the file, and keeps everything else in it')
    .addHelpText(
      'after',
      '\nExamples:\n  pa env --write .env\n  eval "$(pa env --format export)"\n  pa env --format compose > compose.ports.yaml',
    )
    .action(async ({ format, write }: EnvOptions, command: Command) => {
      const context = openContext(command);
      const { output } = context;
      requireUsable(format, write, output.isJson);
      const here = await findHere(context);
      const stack = await readStack(context, here);
      const chosen = format ?? (output.isJson && write === undefined ? 'json' : 'dotenv');
      const record = toRecord(stack.variables);
      if (chosen === 'json') return output.answer(JSON.stringify(record, null, 2), record, { isVerbatim: true });
      const lines = toLines(stack, here.manifest?.services ?? [], chosen);
      if (write !== undefined) return await writeBlock(output, stack, { lines, format: chosen, file: write });
      output.answer(lines.join('\n'), record, { isVerbatim: true });
    });
}

function requireUsable(format: Format | undefined, write: string | undefined, isJson: boolean): void {
  if (write !== undefined && format === 'json') {
    const reason = 'JSON has no comments, and so no block that could be marked in a file.';
    throw new ClientFailure('usage', reason, 'Leave --write out, and send the output to a file.');
  }
  if (write === undefined && isJson && format !== undefined && format !== 'json') {
    throw new ClientFailure('usage', `--json and --format ${format} ask for two formats.`, 'Leave one of them out.');
  }
}

function toLines(stack: Stack, services: readonly ManifestService[], format: LineFormat): string[] {
  const portOf = (service: string) => stack.services.get(service)?.port as number;
  if (format === 'compose') return toComposeLines({ ...stack, services, portOf });
  return format === 'export' ? toExportLines(stack.variables) : toDotenvLines(stack.variables);
}

async function writeBlock(
  output: Output,
  { project, variables }: Stack,
  { lines, format, file }: { lines: string[]; format: LineFormat; file: string },
): Promise<void> {
  const names = format === 'compose' ? [] : variables.map(({ name }) => name);
  const block: Block = { project, lines, names };
  let twice: ReturnType<typeof putBlock>['twice'] = [];
  const isChanged = await replaceFile(file, (content) => {
    requireText(content, file);
    const put = putBlock(content.toString('latin1'), block, file);
    twice = put.twice;
    return Buffer.from(put.text, 'latin1');
  });
  for (const { name, line, isAfter } of twice) {
    const winner = isAfter ? 'that line' : 'the block';
    output.warn(`${file}:${line}: ${name} is set here too. Programs take what comes last, which is ${winner}.`);
  }
  const what = format === 'compose' ? 'the ports of the containers' : names.join(', ');
  output.note(isChanged ? `Wrote ${what} to ${file}.` : `${file} has ${what} already.`);
  output.answer('', { file, isChanged, variables: toRecord(variables) });
}

/** PowerShell writes UTF-16 unless it is told otherwise. A block of single bytes would make such a file unreadable. */
function requireText(content: Buffer, file: string): void {
  if (!content.includes(0)) return;
  throw new ClientFailure(
    'usage',
    `${file} has zero bytes: it is no text in UTF-8.`,
    'Save it as UTF-8, and try again.',
  );
}
