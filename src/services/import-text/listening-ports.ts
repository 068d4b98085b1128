import type { Redact } from '../../access/redact.js';
import { makeVisible } from '../../input/visible.js';
import * as refusals from '../../refusals.js';
import type { ImportItem, ToImport } from '../../registry/imports.js';
import { MAX_IMPORT_ITEMS, MAX_LISTED_PASSED_OVER, type NewImport } from '../../schemas/import.js';
import { type ContainerOf, Findings } from './findings.js';
import { type LsofColumns, readLsofHeader, readLsofLine } from './lsof.js';
import { type Reading, unreadable } from './reading.js';
import { readSsHeader, readSsLine } from './ss.js';

const SHOWN_LINE_LENGTH = 120;
/** Enough to recognize a key that begins in what is shown, also one that is percent-encoded several times. */
const REDACTED_LINE_LENGTH = 2000;

interface ReadingOptions {
  /** For lines and names that are quoted. */
  redact?: Redact;
  containerOf?: ContainerOf;
}

/**
 * What an import is given, from a JSON body, or from a text: the output of `ss -ltnp` or `lsof -i -P -n`.
 * @throws AppError validation-failed for a text in which no line can be read, or which has too many items
 */
export function toImportItems(body: NewImport | string, options: ReadingOptions): ToImport {
  if (typeof body !== 'string') return fromJson(body);
  const { linesRead, firstUnreadable, ...read } = readListeningPorts(body, options);
  if (linesRead === 0) throw refusals.noLineReadable(firstUnreadable);
  if (read.items.length > MAX_IMPORT_ITEMS) throw refusals.tooManyItems(MAX_IMPORT_ITEMS);
  return read;
}

function fromJson({ items }: NewImport): ToImport {
  const wanted = items.map(
    ({ port, host, protocol, environment, service }, index): ImportItem => ({
      line: index + 1,
      port,
      host: host ?? 'localhost',
      protocol: protocol ?? 'tcp',
      environment: environment ?? null,
      service: service ?? null,
      processName: null,
      notes: [],
    }),
  );
  return { given: items.length, items: wanted, passedOver: [] };
}

export interface ReadText extends ToImport {
  /** How many lines are of ss or lsof, whether or not they give an item. */
  linesRead: number;
  firstUnreadable: string | null;
}

/**
 * Reads listening TCP sockets from the output of `ss` or `lsof`, on Linux or macOS. Every line that is not blank gives
 * an item, which may be that it cannot be read, or is passed over for a reason. `findings.ts` says when several sockets
 * give one item. Never throws.
 */
export function readListeningPorts(text: string, { redact = String, containerOf }: ReadingOptions = {}): ReadText {
  const findings = new Findings(redact, containerOf);
  const read: ReadText = {
    given: 0,
    items: findings.items,
    passedOver: [],
    linesRead: 0,
    firstUnreadable: null,
  };
  const readLine = makeLineReader();
  for (const [index, content] of text.split(/\r\n|\n|\r/).entries()) {
    if (read.items.length > MAX_IMPORT_ITEMS) break; // it is refused, and half a million lines of it would take a second
    if (content.trim() === '') continue;
    const line = index + 1;
    read.given++;
    let reading = readLine(content, line);
    if (reading.kind === 'listening') reading = findings.add(reading.socket, line) ?? reading;
    if (reading.kind === 'unreadable') {
      const shown = `Line ${line} ${reading.reason}: ${show(content, redact)}`;
      read.items.push({ line, unreadable: shown });
      read.firstUnreadable ??= shown;
      continue;
    }
    read.linesRead++;
    if (reading.kind === 'passed-over' && read.passedOver.length < MAX_LISTED_PASSED_OVER) {
      read.passedOver.push({ line, reason: `Line ${line} ${reading.reason}.` });
    }
  }
  findings.explainClashes();
  return read;
}

/** Reads one line after another, because a header counts for the lines that follow it. */
function makeLineReader(): (content: string, line: number) => Reading {
  let columns: LsofColumns | null = null;
  let lastOfSs: number | null = null;
  return (content, line) => {
    // Split, because the time of one regular expression for the whole line could grow faster than its length.
    const fields = content.trim().split(/\s+/);
    const lsofHeader = readLsofHeader(fields);
    if (lsofHeader) {
      columns = lsofHeader.columns;
      return lsofHeader.reading;
    }
    const ofSs = readSsHeader(fields) ?? readSsLine(fields, content);
    if (ofSs) {
      columns = null;
      lastOfSs = line;
      return ofSs;
    }
    const ofLsof = readLsofLine(fields, columns);
    if (ofLsof) return ofLsof;
    // As -m and -i of ss have it.
    if (content.startsWith('\t') && lastOfSs !== null) {
      return { kind: 'passed-over', reason: `says more about the socket of line ${lastOfSs}` };
    }
    return unreadable(nameForeignList(fields) ?? 'is of neither ss nor lsof');
  };
}

/** Recognizes lists that people send instead, to say what to do about them. */
function nameForeignList(fields: readonly string[]): string | null {
  const isNetstat = /^(tcp|udp)[46]{0,2}$/i.test(fields[0] ?? '') || fields[0] === 'Active' || fields[0] === 'Proto';
  if (isNetstat) return 'is of netstat, which is not read (send ss -ltnp, or lsof -i -P -n)';
  return fields.length === 1 && /^p\d+$/.test(fields[0] as string)
    ? 'is of lsof -F, which is not read (leave -F out)'
    : null;
}

function show(line: string, redact: Redact): string {
  const start = redact(line.trim().slice(0, REDACTED_LINE_LENGTH)).slice(0, SHOWN_LINE_LENGTH);
  return makeVisible(JSON.stringify(start.toWellFormed()));
}
