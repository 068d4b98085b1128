import { type Command, Option } from 'commander';
import { detect } from '../../client/detect.js';
import { type Block, putBlock } from '../../client/env-file/block.js';
import { toComposeLines } from '../../client/env-file/compose.js';
import { replaceFile } from '../../client/env-file/replace-file.js';
import { toDotenvLines, toExportLines, toRecord } from '../../client/env-file/texts.js';
import { ClientFailure } from '../../client/failure.js';
import { type Context, openContext } from '../context.js';
import { readVariables, type StackVariables } from './stack-variables.js';

const FORMATS = ['dotenv', 'export', 'json', 'compose'] as const;
type Format = (typeof FORMATS)[number];

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
      const { options, settings, output } = context;
      requireUsable(format, write, output.isJson);
      const here = await detect({ ...pickNames(options), settings, folder: process.cwd() });
      const stack = await readVariables(context, here);
      if (write !== undefined) return await writeBlock(context, stack, format ?? 'dotenv', write);
      const chosen = format ?? (output.isJson ? 'json' : 'dotenv');
      const record = toRecord(stack.variables);
      output.answer(chosen === 'json' ? JSON.stringify(record, null, 2) : toLines(stack, chosen).join('\n'), record);
    });
}

const pickNames = ({ project, environment }: Context['options']) => ({ project, environment });

function requireUsable(format: Format | undefined, write: string | undefined, isJson: boolean): void {
  if (write !== undefined && format === 'json') {
    const reason = 'JSON has no comments, and so no block that could be marked in a file.';
    throw new ClientFailure('usage', reason, 'Leave --write out, and send the output to a file.');
  }
  if (write === undefined && isJson && format !== undefined && format !== 'json') {
    throw new ClientFailure('usage', `--json and --format ${format} ask for two formats.`, 'Leave one of them out.');
  }
}

function toLines(stack: StackVariables, format: Exclude<Format, 'json'>): string[] {
  if (format === 'compose') return toComposeLines(stack);
  return format === 'export' ? toExportLines(stack.variables) : toDotenvLines(stack.variables);
}

async function writeBlock(context: Context, stack: StackVariables, format: Format, file: string): Promise<void> {
  const lines = toLines(stack, format as Exclude<Format, 'json'>);
  const names = format === 'compose' ? [] : stack.variables.map(({ name }) => name);
  const block: Block = { project: stack.project, lines, names };
  let twice: ReturnType<typeof putBlock>['twice'] = [];
  const isChanged = await replaceFile(file, (content) => {
    requireText(content, file);
    const put = putBlock(content.toString('latin1'), block, file);
    twice = put.twice;
    return Buffer.from(put.text, 'latin1');
  });
  const { output } = context;
  for (const { name, line, isAfter } of twice) {
    const winner = isAfter ? 'that line' : 'the block';
    output.warn(`${file}:${line}: ${name} is set here too. Programs take what comes last, which is ${winner}.`);
  }
  const what = format === 'compose' ? 'the ports of the containers' : names.join(', ');
  output.note(isChanged ? `Wrote ${what} to ${file}.` : `${file} has ${what} already.`);
  output.answer('', { file, isChanged, variables: toRecord(stack.variables) });
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
