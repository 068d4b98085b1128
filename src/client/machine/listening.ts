import { connect } from 'node:net';
import { chooseListener, type Listener, tellListener } from '../../machine/listener.js';
import { readListeners } from '../../machine/listeners.js';

const CONNECT_TIMEOUT_MS = 500;
/** What `localhost` is. */
const LOOPBACK = ['127.0.0.1', '::1'];

/** Which of some TCP ports somebody listens on, on this machine, by port: who, as far as it can be seen. */
export async function findListening(ports: readonly number[]): Promise<Map<number, Listener | null>> {
  if (ports.length === 0) return new Map();
  const wanted = new Set(ports);
  const seen = (await readListeners(undefined, wanted)) ?? [];
  const found = new Map<number, Listener | null>();
  for (const port of wanted) {
    // Not every listener is seen: Docker, for example, may forward a port in the kernel.
    const listener = chooseListener(seen.filter((one) => one.port === port));
    if (listener !== null || (await isAccepted(port))) found.set(port, listener);
  }
  return found;
}

export async function isAccepted(port: number): Promise<boolean> {
  return (await Promise.all(LOOPBACK.map((address) => canConnect(port, address)))).includes(true);
}

function canConnect(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: CONNECT_TIMEOUT_MS });
    const end = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}

/** `node (pid 812) in /home/kim/shop`. @param listener null if nobody was seen, although the port is accepted */
export function tellListening(listener: Pick<Listener, 'process' | 'pid' | 'path'> | null): string {
  return (listener && tellListener(listener)) ?? 'a process that cannot be seen by this user';
}
