import type { Redact } from '../../access/redact.js';
import { isForwarder } from '../../machine/forwarders.js';
import type { ImportItem } from '../../registry/imports.js';
import { type ListedSocket, passedOver, type Reading } from './reading.js';

/** The name of the container whose port this is, as far as that is known. */
export type ContainerOf = (port: number) => string | null;

/** What listens on one port of one host, as far as it is one process, or several that belong together. */
interface Finding {
  line: number;
  socket: ListedSocket;
  item: Extract<ImportItem, { notes: string[] }> | Extract<ImportItem, { clash: string }>;
}

const NAMED_LINES = 3;

/**
 * Decides which sockets of a text give one item. A service usually has several on its port: one for IPv4 and one for
 * IPv6, the same one in a parent and its children, or one in each of several workers. They are one finding if they have
 * a process in common, if programs of one name share an address, or if a container's port is forwarded (by a process
 * for IPv4 and another for IPv6). Sockets of which no process is named are taken for one finding, because nothing tells
 * them apart.
 *
 * Anything else is two processes on one number: for example `nginx` on 0.0.0.0:3122 and `node` on [::]:3122. Clients
 * then reach one or the other. The number can be held for one of them, so the second is a conflict, and both are told.
 */
export class Findings {
  readonly items: ImportItem[] = [];
  /** By port and host, in the order of their lines. */
  readonly #byPlace = new Map<string, Finding[]>();
  /** By what sockets of one finding have in common. Looked up, because comparing each with all takes quadratic time. */
  readonly #byTrait = new Map<string, Finding>();
  readonly #redact: Redact;
  readonly #containerOf: ContainerOf;

  constructor(redact: Redact, containerOf: ContainerOf = () => null) {
    this.#redact = redact;
    this.#containerOf = containerOf;
  }

  /** @returns why the line is passed over, if it gives no item of its own */
  add(socket: ListedSocket, line: number): Reading | null {
    const place = `${socket.port} ${socket.host}`;
    const { shared, unnamed, any } = traitsOf(socket);
    const own = shared.map((trait) => `${place} ${trait}`);
    const sought = [...own, `${place} ${socket.processName === null ? any : unnamed}`];
    const same = sought.map((trait) => this.#byTrait.get(trait)).find((found) => found !== undefined);
    const finding = same ?? this.#insert(socket, line, place);
    for (const trait of [...own, `${place} ${any}`, ...(socket.processName === null ? [`${place} ${unnamed}`] : [])]) {
      if (!this.#byTrait.has(trait)) this.#byTrait.set(trait, finding);
    }
    if (same === undefined) return null;
    if (same.socket.processName === null && socket.processName !== null) {
      same.socket = { ...same.socket, processName: socket.processName, pids: socket.pids };
      if ('notes' in same.item) same.item.processName = this.#nameService(same.socket);
    }
    return passedOver(`is of the same port and program as line ${same.line}`);
  }

  #insert(socket: ListedSocket, line: number, place: string): Finding {
    const { port, host } = socket;
    const others = this.#byPlace.get(place);
    const processName = this.#nameService(socket);
    const wanted = { line, port, host, protocol: 'tcp' as const };
    const item = others
      ? { ...wanted, clash: '' }
      : { ...wanted, environment: null, service: null, processName, notes: noteOn(socket) };
    const finding: Finding = { line, socket, item };
    if (others) others.push(finding);
    else this.#byPlace.set(place, [finding]);
    this.items.push(item);
    return finding;
  }

  /** Says at each of several findings on one number who else is there. Called once, when all processes are known. */
  explainClashes(): void {
    for (const [first, ...others] of this.#byPlace.values()) {
      if (first === undefined || others.length === 0) continue;
      for (const { item, ...other } of others) {
        if ('clash' in item) {
          item.clash = this.#redact(
            `${first.socket.port} is listened on by ${describe(first)}, and by ${describe(other)}. The number can be ` +
              `held for one of them: this import takes it for line ${first.line}. Move one of the two to another port.`,
          );
        }
      }
      if ('notes' in first.item) {
        const named = others.slice(0, NAMED_LINES).map(describe).join(', and ');
        const more = others.length > NAMED_LINES ? `, and ${others.length - NAMED_LINES} more` : '';
        first.item.notes.push(this.#redact(`The number is also listened on by ${named}${more}.`));
      }
    }
  }

  #nameService({ port, processName }: ListedSocket): string | null {
    return processName === null || isForwarder(processName) ? this.#containerOf(port) : processName;
  }
}

/**
 * What makes sockets on one port and host the same finding.
 * `shared` is what both have. `any` and `unnamed` are for one socket that is listed twice, once by a user who may not
 * see its process.
 */
function traitsOf({ local, processName, pids }: ListedSocket): { shared: string[]; unnamed: string; any: string } {
  const forwarded = processName !== null && isForwarder(processName) ? [`forwarder ${processName}`] : [];
  const shared =
    processName === null
      ? ['no process']
      : [...pids.map((pid) => `pid ${pid}`), `name ${local} ${processName}`, ...forwarded];
  return { shared, unnamed: `unnamed ${local}`, any: `any ${local}` };
}

/** A socket on one address keeps all servers from the port that want every address, as those on `localhost` do. */
function noteOn({ host, port }: ListedSocket): string[] {
  if (host === 'localhost') return [];
  return [`It listens on ${host} alone. While it does, no server on all addresses of that machine can use ${port}.`];
}

function describe({ socket: { local, processName, pids }, line }: Omit<Finding, 'item'>): string {
  const pid = pids.length > 0 ? ` (pid ${pids.at(0)})` : '';
  const who = processName === null ? 'a process that the text does not name' : `${processName}${pid}`;
  return `${who} on ${local} (line ${line})`;
}
