import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { isOwnSocket } from './socket.js';

/** What a service says of itself to processes of its own user, at `/process` of its socket. */
export interface RunningService {
  pid: number;
  mode: 'foreground' | 'background';
  /** Where a person can open it in a browser. Null in the background. */
  url: string | null;
  dataDir: string;
  version: string;
  startedAt: string;
}

const ANSWER_LIMIT_MS = 5000;

/**
 * Asks the service that listens on a socket who it is (GET), or asks it to end (DELETE). It then finishes what is under
 * way, as on SIGTERM.
 * @returns `unreachable` if no process of this user listens there, `silent` if one does and gives no such answer
 */
export async function askService(
  path: string,
  method: 'GET' | 'DELETE',
): Promise<RunningService | 'unreachable' | 'silent'> {
  if (!(await isOwnSocket(path).catch(() => false))) return 'unreachable';
  const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
  const headers = { host: 'localhost' };
  const sent = request({ socketPath: path, path: '/process', method, headers, agent: false, signal });
  sent.end();
  try {
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    const isDone = answer.statusCode === 200 || answer.statusCode === 202;
    if (isDone) return (await json(answer)) as RunningService;
    answer.destroy();
    return 'silent';
  } catch (error) {
    return (error as NodeJS.ErrnoException).syscall === 'connect' ? 'unreachable' : 'silent';
  } finally {
    sent.on('error', () => {}); // one that comes later also ends the answer, whose reader is told of it
  }
}
