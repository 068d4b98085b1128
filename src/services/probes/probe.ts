import { Socket } from 'node:net';
import type { HealthCheck } from '../../schemas/health-check.js';

export type ProbeResult = Pick<HealthCheck, 'outcome' | 'responseTimeMs' | 'error'>;

/**
 * Tries to connect to a TCP port, on all addresses of a host at the same time. The port is open if any address accepts.
 * Nothing is sent or read. When the promise settles, every socket is closed.
 * @throws the reason of `signal` when it is aborted, which closes the sockets at once, and nothing else
 */
export async function probeTcp(
  addresses: readonly string[],
  port: number,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<ProbeResult> {
  const [first, ...others] = addresses;
  if (first === undefined) return { outcome: 'unreachable', responseTimeMs: null, error: 'no address' };
  if (others.length === 0) return connectOnce(first, port, timeoutMs, signal);
  const results = await Promise.all(addresses.map((address) => connectOnce(address, port, timeoutMs, signal)));
  return results.reduce((best, result) => (RANK[result.outcome] < RANK[best.outcome] ? result : best));
}

/**
 * Of the outcomes on several addresses, the one with the lowest rank is the result. A timeout on one address comes
 * before a refusal on another, because a slow service may be listening there.
 */
const RANK = { open: 0, timeout: 1, refused: 2, unreachable: 3 };

function connectOnce(host: string, port: number, timeoutMs: number, signal?: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const started = performance.now();
    let result: ProbeResult = { outcome: 'timeout', responseTimeMs: null, error: `no answer in ${timeoutMs} ms` };
    const socket = new Socket();
    const giveUp = () => socket.destroy();
    const timer = setTimeout(giveUp, timeoutMs);
    signal?.addEventListener('abort', giveUp);
    socket.on('connect', () => {
      result = isSelfConnected(socket)
        ? { outcome: 'refused', responseTimeMs: elapsed(started), error: 'connected to itself' }
        : { outcome: 'open', responseTimeMs: elapsed(started), error: null };
      socket.destroy();
    });
    socket.on('error', ({ code = 'unknown error' }: NodeJS.ErrnoException) => {
      result = toResult(code, elapsed(started));
    });
    // Waits for 'close', because only then is the file descriptor free again.
    socket.on('close', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
      if (signal?.aborted) reject(signal.reason);
      else resolve(result);
    });
    socket.connect({ host, port });
  });
}

function toResult(code: string, responseTimeMs: number): ProbeResult {
  if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return { outcome: 'refused', responseTimeMs, error: code };
  const outcome = code === 'ETIMEDOUT' ? 'timeout' : 'unreachable';
  return { outcome, responseTimeMs: null, error: code };
}

/**
 * Whether the socket is connected to itself, which means that nobody listens on the port. If the port is in the
 * ephemeral range and unused, Linux may choose the same number as the connection's own port. The socket's SYN then
 * reaches the socket itself, and TCP takes it for a simultaneous open (RFC 9293, section 3.5).
 */
export function isSelfConnected(socket: Socket): boolean {
  return socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
}

function elapsed(started: number): number {
  return Math.round((performance.now() - started) * 1000) / 1000;
}
