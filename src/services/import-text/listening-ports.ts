import { isIP } from 'node:net';
import type { Redact } from '../../access/redact.js';
import { makeVisible } from '../../input/visible.js';
import * as refusals from '../../refusals.js';
import type { ImportItem } from '../../registry/imports.js';
import { canonicalHost } from '../../schemas/host.js';
import { MAX_IMPORT_ITEMS, type NewImport } from '../../schemas/import.js';

const SHOWN_LINE_LENGTH = 120;
/** Enough to recognize a key that begins in what is shown, also one that is percent-encoded several times. */
const REDACTED_LINE_LENGTH = 2000;

/**
 * The items of an import, from a JSON body, or from a text: the output of `ss -ltnp` or `lsof -i -P -n`.
 * @param redact for lines that cannot be read, which the report quotes
 * @throws AppError validation-failed for a text in which no line can be read, or which has too many items
 */
export function toImportItems(body: NewImport | string, redact: Redact): ImportItem[] {
  if (typeof body !== 'string') {
    return body.items.map(({ port, host, protocol, environment, service }) => ({
      port,
      host: host ?? 'localhost',
      protocol: protocol ?? 'tcp',
      environment: environment ?? null,
      service: service ?? null,
      processName: null,
    }));
  }
  const { items, linesRead } = readListeningPorts(body, redact);
  if (linesRead === 0) throw refusals.noLineReadable();
  if (items.length > MAX_IMPORT_ITEMS) throw refusals.tooManyItems(MAX_IMPORT_ITEMS);
  return items;
}

/**
 * Reads listening TCP sockets from the output of `ss` or `lsof`, on Linux or macOS. A port that is listed several times
 * on one host (IPv4 and IPv6, several processes) gives one item. Headers, blank lines, and sockets that do not listen
 * give none. A line that cannot be read gives an item that says so. Never throws.
 */
export function readListeningPorts(text: string, redact: Redact = String): { items: ImportItem[]; linesRead: number } {
  const items: ImportItem[] = [];
  const byAddress = new Map<string, { processName: string | null }>();
  let linesRead = 0;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (items.length > MAX_IMPORT_ITEMS) break; // it is refused, and half a million lines of it would take a second
    if (line.trim() === '') continue;
    const reading = readLine(line);
    if (reading.kind === 'unreadable') {
      const start = redact(line.trim().slice(0, REDACTED_LINE_LENGTH)).slice(0, SHOWN_LINE_LENGTH);
      const shown = makeVisible(JSON.stringify(start.toWellFormed()));
      items.push({ unreadable: `Line ${index + 1} ${reading.reason}: ${shown}` });
      continue;
    }
    linesRead++;
    if (reading.kind === 'other') continue;
    const { host, port, processName } = reading;
    const earlier = byAddress.get(`${host} ${port}`);
    if (earlier) {
      earlier.processName ??= processName;
      continue;
    }
    const item = { port, host, protocol: 'tcp' as const, environment: null, service: null, processName };
    byAddress.set(`${host} ${port}`, item);
    items.push(item);
  }
  return { items, linesRead };
}

type Reading =
  | { kind: 'listening'; host: string; port: number; processName: string | null }
  /** A header, or a socket that does not listen. */
  | { kind: 'other' }
  | { kind: 'unreadable'; reason: string };

const OTHER: Reading = { kind: 'other' };

function readLine(line: string): Reading {
  // Split, because the time of one regular expression for the whole line could grow faster than its length.
  const fields = line.trim().split(/\s+/);
  if (isHeader(fields)) return OTHER;
  return (
    readLsofLine(fields) ?? readSsLine(fields, line) ?? { kind: 'unreadable', reason: 'is of neither ss nor lsof' }
  );
}

function isHeader(fields: string[]): boolean {
  const isSs = (fields[0] === 'State' || fields[0] === 'Netid') && fields.includes('Recv-Q');
  return isSs || (fields[0] === 'COMMAND' && fields[1] === 'PID');
}

/**
 * `COMMAND PID USER FD TYPE DEVICE SIZE/OFF NODE NAME (STATE)`. Searched from the end, because COMMAND may have spaces.
 */
function readLsofLine(fields: string[]): Reading | null {
  const node = fields.findLastIndex((field) => field === 'TCP' || field === 'UDP');
  const type = fields.findLastIndex((field, index) => (field === 'IPv4' || field === 'IPv6') && index < node);
  const address = fields[node + 1];
  if (type < 4 || node - type > 3 || address === undefined || !/^\d+$/.test(fields[type - 3] ?? '')) return null;
  if (fields[node] !== 'TCP' || fields[node + 2] !== '(LISTEN)') return OTHER;
  // lsof escapes spaces and unprintable characters, a space as \x20.
  const command = fields.slice(0, type - 3).join(' ');
  const processName = command.replace(/\\x([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return readAddress(address, processName);
}

/** `[Netid] State Recv-Q Send-Q Local:Port Peer:Port users:(("name",pid=…,fd=…),…)` */
function readSsLine(fields: string[], line: string): Reading | null {
  const netid = /^[a-z?][a-z0-9_?]*$/.test(fields[0] ?? '') ? fields[0] : undefined;
  const [state = '', received = '', sent = '', local, peer] = netid === undefined ? fields : fields.slice(1);
  if (!/^[A-Z][A-Z0-9-]*$/.test(state) || !/^\d+$/.test(received) || !/^\d+$/.test(sent)) return null;
  if (local === undefined || peer === undefined) return null;
  if (state !== 'LISTEN' || !['tcp', 'mptcp', undefined].includes(netid)) return OTHER;
  return readAddress(local, readSsProcess(line));
}

/** The name of the first process that has the socket. It may contain any character, quotes included. */
function readSsProcess(line: string): string | null {
  const opening = 'users:(("';
  const start = line.indexOf(opening);
  if (start < 0) return null;
  const name = line.slice(start + opening.length);
  const end = name.search(/",(pid=)?\d/);
  return end < 0 ? null : name.slice(0, end);
}

/** `*:80`, `127.0.0.53%lo:53`, `[::1]:80`, `[fe80::1]%eth0:80`, and `:::80` as older ss writes it. */
function readAddress(text: string, processName: string | null): Reading {
  const colon = text.lastIndexOf(':');
  const port = /^[1-9]\d{0,4}$/.test(text.slice(colon + 1)) ? Number(text.slice(colon + 1)) : 0;
  if (port === 0 || port > 65535) return { kind: 'unreadable', reason: 'has no port number (ss needs -n, lsof -P)' };
  const address = text.slice(0, Math.max(colon, 0)).replace(/[[\]]|%[^\]]*/g, '');
  const host = address === '*' || address === 'localhost' || isIP(address) !== 0 ? canonicalHost(address) : null;
  if (host === null) return { kind: 'unreadable', reason: 'has no address (ss and lsof need -n)' };
  return { kind: 'listening', host, port, processName: processName && makeVisible(processName) };
}
