import { passedOver, type Reading, readSocket, unreadable, WITHOUT_NEWLINES } from './reading.js';

/** The columns of one output, as its header names them. */
export type LsofColumns = readonly string[];

/** Columns that -g, -R and -K add. They follow PID, and those of -K are empty for what is no thread. */
const ALWAYS_FILLED = ['PPID', 'PGID'];
/** TYPE, then at most FILE-FLAG, FCT, FILE-ADDR, NODE-ID, DEVICE, SIZE/OFF and NLINK, then NODE. */
const MOST_COLUMNS_TO_NODE = 8;
/** COMMAND, PID, USER, FD, TYPE and NAME: of a file that could not be read, the others are empty. */
const LEAST_COLUMNS = 6;

/** `COMMAND PID [TID TASKCMD] [PPID] [PGID] USER FD TYPE [FILE-FLAG] DEVICE SIZE/OFF [NLINK] NODE NAME` */
export function readLsofHeader(fields: readonly string[]): { reading: Reading; columns: LsofColumns } | null {
  if (fields[0] !== 'COMMAND' || fields[1] !== 'PID') return null;
  const name = fields.findIndex((field) => field.startsWith('NAME'));
  const isWhole = name === fields.length - 1 && fields[name] === 'NAME';
  return { reading: isWhole ? passedOver('is the header') : unreadable(WITHOUT_NEWLINES), columns: fields };
}

/** Reads a line from its end, because COMMAND may have spaces and columns in the middle may be empty. */
export function readLsofLine(fields: readonly string[], columns: LsofColumns | null): Reading | null {
  const node = fields.findLastIndex((field) => field === 'TCP' || field === 'UDP');
  const type = fields.findLastIndex((field, at) => (field === 'IPv4' || field === 'IPv6') && at < node);
  const local = fields[node + 1];
  const pid = findPid(fields, type, columns);
  if (type < 4 || node - type > MOST_COLUMNS_TO_NODE || local === undefined || pid < 1) {
    return columns && fields.length >= LEAST_COLUMNS && /^\d+$/.test(fields[1] ?? '')
      ? passedOver('is of no TCP socket')
      : null;
  }
  if (hasSeveralSockets(fields)) return unreadable(WITHOUT_NEWLINES);
  if (fields[node] === 'UDP') return passedOver('is of no TCP socket (UDP)');
  const state = /^\(([A-Z_0-9]{1,20})\)?$/.exec(fields[node + 2] ?? '')?.[1];
  if (state === undefined && local.includes('->')) return passedOver('is of a connection');
  if (state === undefined) return unreadable('does not say whether the socket listens (lsof needs -Ts, or no -T)');
  if (state !== 'LISTEN') return passedOver(`is of a socket that does not listen (${state})`);
  // lsof escapes spaces and unprintable characters, a space as \x20.
  const command = fields.slice(0, pid).join(' ');
  const processName = command.replace(/\\x([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  // lsof writes * for all addresses of either family.
  const anyAddress = fields[type] === 'IPv4' ? '0.0.0.0' : '[::]';
  return readSocket(local.replace(/^\*/, anyAddress), processName, [fields[pid] as string]);
}

/** @returns the place of the process's number in the line, or -1 */
function findPid(fields: readonly string[], type: number, columns: LsofColumns | null): number {
  const between = columns?.slice(2, columns.indexOf('USER')) ?? null;
  // USER and FD precede TYPE.
  if (between?.every((column) => ALWAYS_FILLED.includes(column))) {
    const pid = type - 3 - between.length;
    return /^\d+$/.test(fields[pid] ?? '') ? pid : -1;
  }
  return fields.findIndex((field, at) => at > 0 && at <= type - 3 && /^\d+$/.test(field));
}

function hasSeveralSockets(fields: readonly string[]): boolean {
  let sockets = 0;
  let lastType = -MOST_COLUMNS_TO_NODE - 1;
  for (const [at, field] of fields.entries()) {
    if (field === 'IPv4' || field === 'IPv6') lastType = at;
    if ((field === 'TCP' || field === 'UDP') && at - lastType <= MOST_COLUMNS_TO_NODE) {
      sockets++;
      lastType = -MOST_COLUMNS_TO_NODE - 1;
    }
  }
  return sockets > 1;
}
