import * as refusals from '../refusals.js';
import { deleteExcludedPort, upsertExcludedPort } from '../repositories/excluded-ports.js';
import type { ExcludedPort } from '../schemas/port.js';
import type { Session } from './session.js';

/**
 * Gives a port to nobody unasked from now on, on any host and protocol. Whoever holds it keeps it. Of a port that is
 * excluded already, replaces the reason.
 * @param port one that a range can have
 * @throws AppError forbidden
 */
export function excludePort(
  session: Session,
  port: number,
  reason: string,
): Promise<{ excluded: ExcludedPort; created: boolean }> {
  return session.change('excluded-ports', (trx) => upsertExcludedPort(trx, port, reason));
}

/** @throws AppError excluded-port-not-found, forbidden */
export async function removeExcludedPort(session: Session, port: number): Promise<void> {
  const isRemoved = await session.change('excluded-ports', (trx) => deleteExcludedPort(trx, port));
  if (!isRemoved) throw refusals.excludedPortNotFound(port);
}
