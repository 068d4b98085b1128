import { passedOver, type Reading, readSocket, unreadable, WITHOUT_NEWLINES } from './reading.js';

const FIRST_COLUMNS = ['Netid', 'State', 'Recv-Q'];
const HEADER = /^(Netid )?(State )?Recv-Q Send-Q Local Address:Port Peer Address:Port ?(Process)?/;
const NETID = /^[a-z?][a-z0-9_?]{0,15}$/;
const STATE = /^[A-Z][A-Z0-9-]{0,15}$/;
/** What netstat has after the same columns: a state, or number and name of a process, or a hyphen for it. */
const OF_NETSTAT = /^([A-Z][A-Z0-9_]+$|\d+\/|-$)/;
/** As ss writes the states of sockets (`sstate_name` in its source). */
const STATES = ['LISTEN', 'ESTAB', 'UNCONN', 'SYN-SENT', 'SYN-RECV', 'CLOSE-WAIT', 'TIME-WAIT', 'LAST-ACK', 'CLOSING'];
const FINAL_STATES = ['FIN-WAIT-1', 'FIN-WAIT-2'];

/** `Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process`, without the first where there is one kind. */
export function readSsHeader(fields: readonly string[]): Reading | null {
  if (!FIRST_COLUMNS.includes(fields[0] ?? '')) return null;
  const [header] = HEADER.exec(fields.slice(0, 10).join(' ')) ?? [];
  if (header === undefined) return null;
  return fields.join(' ') === header.trimEnd() ? passedOver('is the header') : unreadable(WITHOUT_NEWLINES);
}

/**
 * `[Netid] State Recv-Q Send-Q Local:Port Peer:Port users:(("name",pid=…,fd=…),…)`. More columns, as of -e, -m or -O,
 * follow these.
 */
export function readSsLine(fields: readonly string[], line: string): Reading | null {
  const netid = NETID.test(fields[0] ?? '') ? fields[0] : undefined;
  const columns = netid === undefined ? fields : fields.slice(1);
  const state = STATE.test(columns[0] ?? '') ? columns[0] : undefined;
  const [received = '', sent = '', local, peer] = state === undefined ? columns : columns.slice(1);
  if (!/^\d+$/.test(received) || !/^\d+$/.test(sent) || local === undefined || peer === undefined) return null;
  if (state === undefined) {
    const isOfSs = local.includes(':') && peer.includes(':') && !OF_NETSTAT.test(columns[4] ?? '');
    return isOfSs ? unreadable('does not say whether the socket listens (ss needs -l, and no filter by state)') : null;
  }
  if (hasSeveralSockets(fields)) return unreadable(WITHOUT_NEWLINES);
  if (!['tcp', 'mptcp', undefined].includes(netid)) return passedOver(`is of no TCP socket (${netid})`);
  if (state !== 'LISTEN') return passedOver(`is of a socket that does not listen (${state})`);
  return readSocket(local, ...readProcesses(line));
}

/**
 * Finds a second socket in the line. Without line ends, its state directly follows the last column of the one before.
 * The name of a process, of which ss shows 15 characters, is too short to hold all columns of a socket.
 */
function hasSeveralSockets(fields: readonly string[]): boolean {
  const isState = (field: string) => [...STATES, ...FINAL_STATES].some((state) => field.endsWith(state));
  const isCount = (field = '') => /^\d+$/.test(field);
  const isPlace = (field = '') => field.includes(':');
  const isSocket = (field: string, at: number) =>
    isCount(fields[at + 1]) &&
    isCount(fields[at + 2]) &&
    isPlace(fields[at + 3]) &&
    isPlace(fields[at + 4]) &&
    isState(field);
  return fields.findIndex(isSocket) !== fields.findLastIndex(isSocket);
}

/** The name of the first process that has the socket, which may contain any character, and the numbers of all. */
function readProcesses(line: string): [name: string | null, pids: string[]] {
  const opening = 'users:(("';
  const start = line.indexOf(opening);
  if (start < 0) return [null, []];
  const processes = line.slice(start + opening.length);
  const end = processes.search(/",(pid=)?\d/);
  if (end < 0) return [null, []];
  const pids = [...processes.matchAll(/",(?:pid=)?(\d{1,10})/g)].map(([, pid]) => pid as string);
  return [processes.slice(0, end), pids];
}
