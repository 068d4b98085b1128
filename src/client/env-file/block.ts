import { ClientFailure } from '../failure.js';

/** A variable that the file sets outside of the block too. */
export interface Twice {
  name: string;
  /** Counts from 1, in the file as it is with the block. */
  line: number;
  /** Whether it comes after the block. Programs that read such files take the last one. */
  isAfter: boolean;
}

export interface Block {
  /** There is one block for each project in a file. */
  project: string;
  /** Without line breaks. */
  lines: readonly string[];
  /** The variables that the lines set. */
  names: readonly string[];
}

interface Line {
  text: string;
  start: number;
  end: number;
}

const opening = (project: string) =>
  `# >>> port-allocator: ${project} >>> written by "pa env --write", which replaces all up to the end mark`;
const ending = (project: string) => `# <<< port-allocator: ${project} <<<`;

const MARKER = /^\s*# (>>>|<<<) port-allocator\b(?:: ([a-z0-9._-]+) \1)?/;
/** A byte order mark in UTF-8, as three characters of one byte each. */
const BOM = '\u00ef\u00bb\u00bf';

/**
 * Puts a block into the text of a file: in place of the one that is there, or else at its end. Everything outside of the
 * block stays as it is, to the byte. A block that is there keeps its line endings, and a new one gets that of the file's
 * first line. The last line of the file has a line ending after it if it had one before.
 * @param text the bytes of the file as `latin1`, so that each character is a byte, whatever the file's encoding
 * @param file for messages
 * @throws ClientFailure usage, if the markers of the file do not fit together
 */
export function putBlock(text: string, block: Block, file: string): { text: string; twice: Twice[] } {
  const lines = splitLines(text);
  const present = findBlocks(lines, file).get(block.project);
  const lineEnding = /\r?\n/.exec(text.slice(present?.start))?.[0] ?? '\n';
  const content = toBytes([opening(block.project), ...block.lines, ending(block.project)].join(lineEnding));
  const isEmpty = text === '' || text === BOM;
  const before = present ? text.slice(0, present.start) : text + (isEmpty || text.endsWith('\n') ? '' : lineEnding);
  const after = present ? text.slice(present.end) : isEmpty || text.endsWith('\n') ? lineEnding : '';
  return { text: before + content + after, twice: findTwice(before, content, after, block.names) };
}

const toBytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** The lines of a text, without their line endings. The byte order mark is part of none. */
function splitLines(text: string): Line[] {
  const lines: Line[] = [];
  for (let start = text.startsWith(BOM) ? BOM.length : 0; start <= text.length; ) {
    const next = text.indexOf('\n', start);
    const stop = next === -1 ? text.length : next;
    const end = text[stop - 1] === '\r' && next !== -1 && stop > start ? stop - 1 : stop;
    lines.push({ text: text.slice(start, end), start, end });
    start = stop + 1;
  }
  return lines;
}

/** @returns where the block of each project begins and ends, from its first marker to the end of its last */
function findBlocks(lines: Line[], file: string): Map<string, { start: number; end: number }> {
  const blocks = new Map<string, { start: number; end: number }>();
  let open: { project: string; start: number; number: number } | null = null;
  for (const [i, { text, start, end }] of lines.entries()) {
    const [whole, kind, project] = MARKER.exec(text) ?? [];
    const fail = (what: string) => refuse(file, i + 1, what);
    if (whole === undefined) continue;
    if (project === undefined) throw fail('is a marker of a block, and is damaged');
    if (kind === '>>>') {
      if (open) throw fail(`begins a block within the one that begins in line ${open.number}`);
      if (blocks.has(project)) throw fail(`begins a second block of ${project}`);
      open = { project, start, number: i + 1 };
    } else {
      if (open?.project !== project) throw fail(`ends a block of ${project} that does not begin before it`);
      blocks.set(project, { start: open.start, end });
      open = null;
    }
  }
  if (open) throw refuse(file, open.number, `begins a block that has no end, "${ending(open.project)}"`);
  return blocks;
}

const refuse = (file: string, line: number, what: string) =>
  new ClientFailure(
    'usage',
    `${file}:${line}: This line ${what}. Nothing was written.`,
    'Remove the lines of the block with both its markers, and write it again.',
  );

function findTwice(before: string, content: string, after: string, names: readonly string[]): Twice[] {
  const wanted = new Set(names);
  const countLines = (text: string) => text.split('\n').length - 1;
  const find = (text: string, firstLine: number, isAfter: boolean) =>
    splitLines(text).flatMap(({ text }, i) => {
      const name = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=/.exec(text)?.[1];
      return name !== undefined && wanted.has(name) ? [{ name, line: firstLine + i, isAfter }] : [];
    });
  return [...find(before, 1, false), ...find(after, 1 + countLines(before + content), true)];
}
