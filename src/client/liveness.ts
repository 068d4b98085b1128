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
  project: string | null;
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

/** Whether the audit covers the allocation, has probed its port, and began after it was allocated. */
function hasProbed(audit: Probed, { port, project, host, allocatedAt }: Held): boolean {
  const covers = (audit.project ?? project) === project && (audit.host ?? host) === host;
  const begun = Date.parse(audit.checkedAt) - audit.durationMs;
  if (!covers || Date.parse(allocatedAt) >= begun) return false;
  // Without a port, a host may not be probed; what could not be judged without a port is held by nobody.
  return !audit.conflicts.some(
    (conflict) =>
      conflict.host === host &&
      ((conflict.kind === 'unreachable' && conflict.port === null) ||
        (conflict.kind === 'not-judged' && conflict.port === port)),
  );
}
