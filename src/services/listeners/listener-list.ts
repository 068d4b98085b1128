import { describeListener } from '../../machine/listener.js';
import type { Session } from '../../registry/session.js';
import { decodeCursor, isPort, isProtocol, type Page, type PageRequest, toPage } from '../../repositories/pages.js';
import { listRangeOwners } from '../../repositories/ranges.js';
import type { ListeningPort } from '../../schemas/port.js';
import { mayKnowListener } from './described-port.js';
import type { LocalListeners } from './local-listeners.js';

/** The host whose ports are those of this machine. */
const HOST = 'localhost';

/**
 * What listens on this machine, by port, then protocol, as far as the caller may know it. Nothing where the ports of
 * `localhost` are those of another machine (PROBE_TARGETS).
 * @throws AppError validation-failed for a cursor that this service did not make
 */
export async function listListeners(
  session: Session,
  listeners: LocalListeners,
  { limit = 100, cursor, maxBytes }: PageRequest,
): Promise<Page<ListeningPort>> {
  const [port, protocol] = decodeCursor(cursor, isPort, isProtocol) ?? [0, 'udp'];
  if (!listeners.isHere(HOST)) return { items: [], nextCursor: null };
  const [found, owners] = await Promise.all([listeners.list(), session.readUnfiltered(listRangeOwners)]);
  const visible = found.filter((one) => {
    const isBehind = one.port > port || (one.port === port && one.protocol > protocol);
    const owner = owners.find(({ start_port, end_port }) => start_port <= one.port && one.port <= end_port);
    return isBehind && mayKnowListener(session.access, owner?.project ?? null);
  });
  return toPage(
    visible,
    { limit, maxBytes },
    (one) => ({ port: one.port, host: HOST, protocol: one.protocol, ...describeListener(one) }),
    (one) => [one.port, one.protocol],
  );
}
