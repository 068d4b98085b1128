import type { AppError } from '../../errors.js';
import type { Listener } from '../../machine/listener.js';
import type { Session } from '../../registry/session.js';
import { findExcluded } from '../../repositories/excluded-ports.js';
import { type AuditedRegistry, findTaken, type HostnameOwner } from '../../repositories/reports/audited-registry.js';
import type { AuditConflict, AuditScope } from '../../schemas/audit.js';
import { isLoopback } from '../../schemas/host.js';
import { type LocalListeners, nameListener } from '../listeners/local-listeners.js';
import { isLocal } from '../probes/probe-policy.js';
import type { ProbedPort } from './audited-ports.js';
import { describeForeign, type ForeignListeners, isForeign } from './foreign-listeners.js';
import { type ListenersElsewhere, nameElsewhere } from './listeners-elsewhere.js';
import { holderOf, subjectOf, subjectOfHost } from './subjects.js';

export interface AuditFindings {
  registry: AuditedRegistry;
  /** The ports that could be judged. */
  probed: readonly ProbedPort[];
  /** Ids of allocations that were released while the audit ran. */
  released: ReadonlySet<string>;
  /** Hosts that may not be probed, and why. */
  refused: ReadonlyMap<string, AppError>;
  listeners: LocalListeners;
  foreign: ForeignListeners;
  elsewhere: ListenersElsewhere;
  scope: AuditScope;
}

/**
 * Describes where registry and reality differ. The conflicts are ordered by port, host, protocol and kind.
 * @param notJudged the conflicts of ports that could not be judged
 */
export async function findConflicts(
  session: Session,
  findings: AuditFindings,
  notJudged: readonly AuditConflict[] = [],
): Promise<AuditConflict[]> {
  const { probed, released, refused, registry, foreign, elsewhere, scope } = findings;
  const unallocated = await findUnallocated(session, probed, elsewhere);
  const processNames = await nameProcesses(unallocated, findings.listeners, elsewhere);
  return [
    ...[...refused].map(([host, refusal]) => describeRefused(host, refusal)),
    ...notJudged,
    ...probed
      .filter((port) => !isForeign(port, foreign, elsewhere))
      .flatMap((port) => describeHeld(port, released, elsewhere.get(port))),
    ...describeForeign(probed, foreign, elsewhere, released),
    ...unallocated.map((port) => describeUnallocated(port, processNames.get(port))),
    ...describeDuplicates(registry.hostnameOwners, released, scope),
  ].sort(
    (a, b) =>
      (a.port ?? 0) - (b.port ?? 0) ||
      compare(a.host, b.host) ||
      compare(a.protocol, b.protocol) ||
      compare(a.kind, b.kind),
  );
}

/**
 * Finds the ports that no allocation holds and on which something listens. The registry is asked again, because a port
 * that nobody held when the audit began may have been allocated before it was probed. An excluded port is only found if
 * it is reserved: often an operator has excluded it because something listens there.
 */
async function findUnallocated(
  session: Session,
  probed: readonly ProbedPort[],
  elsewhere: ListenersElsewhere,
): Promise<ProbedPort[]> {
  const open = probed.filter((one) => one.allocation === null && (one.result.outcome === 'open' || elsewhere.has(one)));
  if (open.length === 0) return [];
  const ports = open.map(({ destination: { host }, port }) => ({ host, port }));
  const excluded = await session.readUnfiltered(findExcluded, ports);
  const taken = new Map(
    (await session.readUnfiltered(findTaken, ports)).map(({ host, port, kind }) => [`${host} ${port}`, kind]),
  );
  return open.filter(({ destination: { host }, port, reservation }) => {
    const takenBy = taken.get(`${host} ${port}`);
    if (takenBy === undefined) return reservation !== null || !excluded.has(port);
    return takenBy === 'reservation' && reservation !== null;
  });
}

/** Names the processes that listen on these ports of this machine. Those of other machines cannot be seen. */
async function nameProcesses(
  ports: readonly ProbedPort[],
  listeners: LocalListeners,
  elsewhere: ListenersElsewhere,
): Promise<Map<ProbedPort, string>> {
  const local = ports.filter(({ destination }) => isLocal(destination));
  const named = local.map(async (one): Promise<[ProbedPort, string]> => {
    const listener = elsewhere.get(one);
    return [one, listener ? nameElsewhere(listener) : nameListener(await listeners.find(one.port))];
  });
  return new Map(await Promise.all(named));
}

function describeHeld(
  { allocation, result }: ProbedPort,
  released: ReadonlySet<string>,
  elsewhere: Listener | undefined,
): AuditConflict[] {
  if (allocation === null || released.has(allocation.id) || result.outcome === 'open') return [];
  const { port, host, project, service } = allocation;
  const holder = holderOf(allocation);
  const subject = { ...subjectOf(allocation), expected: `${project}/${service} listens` };
  if (result.outcome === 'refused') {
    return [
      {
        kind: 'not-running',
        ...subject,
        ...describeClosed(holder, port, host, service, elsewhere),
      },
    ];
  }
  return [
    {
      kind: 'unreachable',
      ...subject,
      actual: result.error ?? result.outcome,
      detail: `Whether ${holder} runs is not known: ${host} did not answer on port ${port} (${result.error ?? result.outcome}). Check the host and the network in between.`,
    },
  ];
}

/** @param elsewhere who listens on that number on an address at which the host is not reached */
function describeClosed(holder: string, port: number, host: string, service: string, elsewhere: Listener | undefined) {
  if (elsewhere === undefined) {
    return {
      actual: 'nothing listens',
      detail: `${holder} holds port ${port} on ${host}, and nothing listens there. Start it, or release the port if it is not needed any more.`,
    };
  }
  const { address } = elsewhere;
  const register = isLoopback(address) ? '' : `, or register it with the host ${address}`;
  return {
    actual: nameElsewhere(elsewhere),
    detail: `${holder} holds port ${port} on ${host}. Who listens on that number does so on ${address} instead, which is not reached at ${host}: ${nameListener(elsewhere)}. If that is ${service}, let it listen on localhost or on all addresses${register}. If not, start ${service}, or release the port if it is not needed any more.`,
  };
}

function describeUnallocated(
  { port, destination: { host }, project, reservation }: ProbedPort,
  processName = 'a process that cannot be identified from here',
): AuditConflict {
  const subject = { port, host, protocol: 'tcp' as const, actual: processName };
  if (reservation !== null) {
    return {
      kind: 'reserved-in-use',
      ...subject,
      project: reservation.project,
      service: reservation.service,
      environment: null,
      expected: 'nothing listens until the reservation is claimed',
      detail: `Port ${port} on ${host} is reserved for ${reservation.project} (${reservation.id}), yet something listens there. If it is the service the port is meant for, claim the reservation; else stop it.`,
    };
  }
  return {
    kind: 'squatter',
    ...subject,
    project,
    service: null,
    environment: null,
    expected: 'nothing listens',
    detail: `Nobody holds port ${port} on ${host}, yet something listens there. Allocate the port for it, or move it to a port of its own.`,
  };
}

function describeDuplicates(
  owners: readonly HostnameOwner[],
  released: ReadonlySet<string>,
  { project, host }: AuditScope,
): AuditConflict[] {
  const active = owners.filter(({ id }) => !released.has(id));
  const byHostname = new Map<string, HostnameOwner[]>();
  for (const owner of active) byHostname.set(owner.hostname, [...(byHostname.get(owner.hostname) ?? []), owner]);
  return active.flatMap((owned) => {
    const { hostname, port, owner, service, environment, withheldAt } = owned;
    if (service === null) return []; // belongs to a project that the caller may not see
    const inScope = (project ?? owner) === owner && (host ?? owned.host) === owned.host;
    const others = (byHostname.get(hostname) ?? []).filter(({ id }) => id !== owned.id);
    if (!inScope || (others.length === 0 && withheldAt === null)) return [];
    const subject = { kind: 'duplicate-hostname' as const, port, host: owned.host, protocol: owned.protocol };
    const expected = `${hostname} for one allocation alone`;
    const isRouted = [owned, ...others].some((one) => one.withheldAt === null);
    const rest = isRouted ? describeShared(owned, others) : describeUnrouted(owned, withheldAt);
    return [{ ...subject, project: owner, service, environment, expected, ...rest }];
  });
}

function describeShared({ hostname, owner, service }: HostnameOwner, others: HostnameOwner[]) {
  const names = others.map((other) => {
    const since = other.withheldAt && ` (withheld from it since ${other.withheldAt.toISOString()})`;
    const name =
      other.service === null ? other.owner : `${other.owner}/${other.service} on port ${other.port} of ${other.host}`;
    return `${name}${since ?? ''}`;
  });
  return {
    actual: `also ${names.join(', ')}`,
    detail: `${hostname} was set for ${owner}/${service} and for ${names.join(', ')}, and can lead to one only. Change or clear cloudflareHostname on the others.`,
  };
}

/** For a hostname that another project had when it was set here, and has given up since. */
function describeUnrouted({ hostname, owner, service }: HostnameOwner, withheldAt: Date | null) {
  return {
    actual: `withheld since ${withheldAt?.toISOString()}`,
    detail: `${hostname} is routed to nobody. It is withheld from ${owner}/${service} since ${withheldAt?.toISOString()}, when another project had it. Set cloudflareHostname again to have it routed, which counts once its cooldown for the other project has passed, or clear it.`,
  };
}

function describeRefused(host: string, refusal: AppError): AuditConflict {
  return {
    kind: 'unreachable',
    ...subjectOfHost(host),
    expected: 'its ports can be probed',
    actual: 'not probed',
    detail: refusal.message,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
