import type { Access } from '../../access/access.js';
import type { Space } from '../../keys.js';
import { describeListener } from '../../machine/listener.js';
import type { Session } from '../../registry/session.js';
import { describePort as findPort } from '../../repositories/reports/ports.js';
import type { Port } from '../../schemas/port.js';
import type { LocalListeners } from './local-listeners.js';

/**
 * Whose a number is, and who listens on it now, where that is this machine. The registry is asked first, and no
 * transaction is open while the processes of this machine are searched. A port that is free in the registry and on
 * which somebody listens is `squatted`.
 */
export async function describePort(
  session: Session,
  listeners: LocalListeners,
  port: number,
  space: Space,
): Promise<Port> {
  const described = await session.read(findPort, port, space);
  const mayKnow = mayKnowListener(session.access, described.range?.project ?? null);
  if (!mayKnow || !listeners.isHere(space.host)) return described;
  const listener = await listeners.find(port, space.protocol);
  if (listener === null) return described;
  const state = described.state === 'free' ? 'squatted' : described.state;
  return { ...described, state, listener: describeListener(listener) };
}

/**
 * Whoever may not see the project of a number's range learns nothing of the process. Of a number in no range, which may
 * be anybody's, only those learn it who see all projects.
 * @param owner the project of the number's range; null if no range covers it
 */
export function mayKnowListener(access: Access, owner: string | null): boolean {
  return owner === null ? access.projects === null : access.sees(owner);
}
