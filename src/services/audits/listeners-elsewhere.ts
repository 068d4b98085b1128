import type { Listener } from '../../machine/listener.js';
import type { Session } from '../../registry/session.js';
import { findTaken } from '../../repositories/reports/audited-registry.js';
import type { KernelList } from '../listeners/kernel-list.js';
import { type LocalListeners, nameListener } from '../listeners/local-listeners.js';
import type { Destination } from '../probes/probe-policy.js';
import type { ProbedPort } from './audited-ports.js';

/**
 * By the ports of this machine that refused the probe, who listens on the same number all the same, on an address that
 * is not probed.
 */
export type ListenersElsewhere = ReadonlyMap<ProbedPort, Listener>;

/**
 * Finds them after the probes, for the few ports that the kernel's list has and that refused. Left out is who listens on
 * the address of another host that holds the number: the port is its own there.
 */
export async function findListenersElsewhere(
  session: Session,
  probed: readonly ProbedPort[],
  destinations: ReadonlyMap<string, Destination>,
  listening: KernelList | null,
  listeners: LocalListeners,
): Promise<ListenersElsewhere> {
  const refused = probed.filter(
    ({ port, destination: { host }, result }) =>
      result.outcome === 'refused' && listening?.all.has(port) && listeners.isHere(host),
  );
  const found = await Promise.all(refused.map(async (one) => ({ one, listener: await listeners.find(one.port) })));
  const elsewhere = found.flatMap(({ one, listener }) => {
    if (listener === null || isProbed(listener.address, one.destination)) return []; // ended or began meanwhile
    const others = [...destinations.values()].filter(({ addresses }) => addresses.includes(listener.address));
    return [{ one, listener, hosts: [listener.address, ...others.map(({ host }) => host)] }];
  });
  if (elsewhere.length === 0) return new Map();
  const asked = elsewhere.flatMap(({ one: { port }, hosts }) => hosts.map((host) => ({ host, port })));
  const held = (await session.readUnfiltered(findTaken, asked)).filter(({ kind }) => kind === 'allocation');
  const isHeld = new Set(held.map(({ host, port }) => `${host} ${port}`));
  const strays = elsewhere.filter(({ one: { port }, hosts }) => !hosts.some((host) => isHeld.has(`${host} ${port}`)));
  return new Map(strays.map(({ one, listener }) => [one, listener]));
}

const isProbed = (address: string, { addresses }: Destination) => address === '*' || addresses.includes(address);

/** `node, pid 812, in /home/kim/shop, on 192.0.2.2` */
export const nameElsewhere = (listener: Listener): string => `${nameListener(listener)}, on ${listener.address}`;
