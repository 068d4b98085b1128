/**
 * Environments that expire
 * ========================
 *
 * An environment may say after how long without use it expires, and what is done then. Without that nothing is ever done
 * about it here. Each pass looks at those that expire within their notice (a day, or half of a shorter time):
 *
 *   1. Their ports are probed first, because perhaps no audit has looked at them. If somebody listens on any of them, the
 *      environment is in use, and it expires later.
 *   2. If nobody was told since the last use, the event environment.due is written.
 *   3. If it has expired, was told of by an earlier pass, and is to be released, it is released, provided that each of its
 *      ports was found closed. A port of which that cannot be said keeps all of them, and the next pass tries again.
 *
 * No transaction is open while ports are probed. Somebody may use the environment meanwhile, so that whether it may be
 * released is decided anew under the lock of its project.
 */

import type { Log } from '../database/connect.js';
import { AppError } from '../errors.js';
import { readUdpListeners } from '../machine/listeners.js';
import { insertHealthChecks } from '../registry/health-checks.js';
import type { Registry } from '../registry/registry.js';
import type { Session } from '../registry/session.js';
import {
  type ExpiringEnvironment,
  findExpiring,
  findPortsOf,
  type HeldPort,
  recordUse,
  tellDue,
} from '../repositories/expiring-environments.js';
import type { NewHealthCheck } from '../repositories/health-checks.js';
import type { Prober } from './probes/prober.js';

interface Parts {
  registry: Registry;
  prober: Prober;
  log: Pick<Log, 'info' | 'warn'>;
}

/** Makes one pass. One environment that fails does not keep the others from their turn. */
export async function handleExpiring({ registry, prober, log }: Parts, signal: AbortSignal): Promise<void> {
  const session = registry.asBackground();
  for (const environment of await session.readUnfiltered(findExpiring)) {
    signal.throwIfAborted();
    try {
      await handle(session, prober, log, environment, signal);
    } catch (error) {
      signal.throwIfAborted();
      const { project, environment: name } = environment;
      log.warn({ project, environment: name, err: error }, 'An environment that expires could not be looked at');
    }
  }
}

async function handle(
  session: Session,
  prober: Prober,
  log: Parts['log'],
  { project, environment, is_told: isTold, is_releasable: isReleasable }: ExpiringEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const { isInUse, unknown } = await probeEnvironment(session, prober, { project, environment }, signal);
  if (isInUse) return;
  const subject = { project };
  if (!isTold) {
    await session.change(subject, (trx) => tellDue(trx, project, environment));
    return;
  }
  if (!isReleasable) return;
  if (unknown.length > 0) {
    log.warn(
      { project, environment, ports: unknown },
      'An expired environment is kept: it is not known whether it is in use',
    );
    return;
  }
  const released = await session.execute(project, { kind: 'release-environment', environment, ifExpired: true });
  if (released.length > 0)
    log.info({ project, environment, ports: released.length }, 'Released an expired environment');
}

/**
 * Probes all ports of an environment. Stores what was found out, and records the use of one that is in use.
 * @returns in `unknown` the ports of which it cannot be said whether somebody listens there, with the reason
 */
async function probeEnvironment(
  session: Session,
  prober: Prober,
  { project, environment }: { project: string; environment: string },
  signal: AbortSignal,
): Promise<{ isInUse: boolean; unknown: string[] }> {
  const held = await session.readUnfiltered(findPortsOf, project, environment);
  const found = await Promise.all(held.map((port) => probeHeld(prober, port, signal)));
  const checks = found.flatMap(({ check }) => check ?? []);
  if (checks.length > 0) await insertHealthChecks(session, checks);
  const isInUse = found.some(({ is }) => is === 'open');
  // Also for TCP, because the status of a port that is being changed at this moment is not moved.
  if (isInUse) {
    await session.change({ project }, (trx) => recordUse(trx, project, environment));
  }
  return { isInUse, unknown: found.flatMap(({ is }) => (is === 'open' || is === 'closed' ? [] : is)) };
}

/** What is known of a port: that it is `open`, or `closed`, or else why neither can be said. */
interface Found {
  is: string;
  check?: NewHealthCheck;
}

async function probeHeld(prober: Prober, { id, host, port, protocol }: HeldPort, signal: AbortSignal): Promise<Found> {
  const unknown = (reason: string): Found => ({ is: `${port} on ${host}/${protocol}: ${reason}` });
  if (protocol === 'udp') return { is: unknown('UDP cannot be probed').is, ...(await findUdp(prober, host, port)) };
  try {
    const result = await prober.probe(await prober.resolve(host, signal), port, signal);
    if (result.outcome === 'not-judged') return unknown(prober.describeShortage(result.error));
    const check = { allocationId: id, port, host, ...result };
    if (result.outcome === 'open') return { is: 'open', check };
    if (result.outcome === 'refused') return { is: (await isListening(prober, host, port)) ? 'open' : 'closed', check };
    return { ...unknown(result.error ?? result.outcome), check };
  } catch (error) {
    if (error instanceof AppError && error.code === 'not-probeable') return unknown(error.message);
    throw error;
  }
}

/** Whether somebody listens on an address of this machine that the probe has not tried: it tries 127.0.0.1 and ::1. */
const isListening = async ({ listeners }: Prober, host: string, port: number): Promise<boolean> =>
  listeners.isHere(host) && (await listeners.find(port, 'tcp')) !== null;

/** Only of this machine, whose kernel lists who listens. Nothing where there is no such list. */
async function findUdp({ listeners }: Prober, host: string, port: number): Promise<Partial<Found>> {
  if (!listeners.isHere(host)) return {};
  if ((await listeners.find(port, 'udp')) !== null) return { is: 'open' };
  return (await readUdpListeners(new Set([port]))) === null ? {} : { is: 'closed' };
}
