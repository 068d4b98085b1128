/** What is known of the process that an allocation is for. */
export type Liveness = 'in_use' | 'stopped' | 'unseen' | 'unchecked' | 'unprobed';

interface Held {
  port: number;
  status: string;
  project: string;
  host: string;
  protocol: string;
  allocatedAt: string;
  lastUsedAt: string | null;
}

/** As much of an audit as tells which ports it has probed. */
interface Probed {
  covers: readonly string[] | null;
  host: string | null;
  checkedAt: string;
  durationMs: number;
  conflicts: readonly { kind: string; port: number | null; host: string }[];
}

/**
 * Tells what never ran from what has stopped, and both from what nobody has looked for yet. The dashboard and the
 * command use it, so that they say the same.
 * @param audit the last one, if there is any; one that does not cover the allocation tells nothing of it
 */
export function livenessOf(allocation: Held, audit: Probed | null): Liveness {
  if (allocation.status === 'in_use') return 'in_use';
  if (allocation.protocol === 'udp') return 'unprobed';
  if (allocation.lastUsedAt !== null) return 'stopped';
  return audit !== null && hasProbed(audit, allocation) ? 'unseen' : 'unchecked';
}

/**
 * Whether an audit covers a project on a host; of `null`, all projects. One that was asked for without a project covers no
 * more than what the caller saw.
 */
export function hasCovered(
  { covers, host }: Pick<Probed, 'covers' | 'host'>,
  project: string | null,
  on: string,
): boolean {
  return (covers === null || (project !== null && covers.includes(project))) && (host === null || host === on);
}

/** What an audit has not probed: hosts, and ports that each stand behind their host. */
interface NotProbed {
  hosts: ReadonlySet<string>;
  ports: ReadonlySet<string>;
}

/**
 * By the conflicts of an audit, which are gone through once. To go through thousands of them for each of thousands of
 * allocations takes seconds.
 */
const known = new WeakMap<Probed['conflicts'], NotProbed>();

/** Whether the audit covers the allocation, has probed its port, and began after it was allocated. */
function hasProbed(audit: Probed, { port, project, host, allocatedAt }: Held): boolean {
  const begun = Date.parse(audit.checkedAt) - audit.durationMs;
  if (!hasCovered(audit, project, host) || Date.parse(allocatedAt) >= begun) return false;
  const { hosts, ports } = findNotProbed(audit.conflicts);
  return !hosts.has(host) && !ports.has(placeOf(host, port));
}

function findNotProbed(conflicts: Probed['conflicts']): NotProbed {
  const found = known.get(conflicts);
  if (found) return found;
  // Without a port, a host may not be probed; what could not be judged without a port is held by nobody.
  const hosts = conflicts.filter(({ kind, port }) => kind === 'unreachable' && port === null);
  const ports = conflicts.filter(({ kind, port }) => kind === 'not-judged' && port !== null);
  const notProbed = {
    hosts: new Set(hosts.map(({ host }) => host)),
    ports: new Set(ports.map(({ host, port }) => placeOf(host, port))),
  };
  known.set(conflicts, notProbed);
  return notProbed;
}

const placeOf = (host: string, port: number | null): string => `${host} ${port}`;
