import { Socket } from 'node:net';
import type { HealthCheck } from '../schemas/health-check.js';

export type ProbeResult = Pick<HealthCheck, 'outcome' | 'responseTimeMs' | 'error'>;

/**
 * One TCP connection attempt, to all addresses of a host at once: open if any accepts. Nothing is sent or
 * read. Never throws; when it settles, every socket is closed.
 */
export async function probeTcp(addresses: readonly string[], port: number, timeoutMs: number): Promise<ProbeResult> {
  const [first, ...others] = addresses;
  if (first === undefined) return { outcome: 'unreachable', responseTimeMs: null, error: 'no address' };
  if (others.length === 0) return connectOnce(first, port, timeoutMs);
  const results = await Promise.all(addresses.map((address) => connectOnce(address, port, timeoutMs)));
  return results.reduce((best, result) => (RANK[result.outcome] < RANK[best.outcome] ? result : best));
}

/** Silence on one address outweighs a refusal on another: the service may be there, and slow. */
const RANK = { open: 0, timeout: 1, refused: 2, unreachable: 3 };

function connectOnce(host: string, port: number, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const started = performance.now();
    let result: ProbeResult = { outcome: 'timeout', responseTimeMs: null, error: `no answer in ${timeoutMs} ms` };
    const socket = new Socket();
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    socket.on('connect', () => {
      result = isSelfConnected(socket)
        ? { outcome: 'refused', responseTimeMs: elapsed(started), error: 'connected to itself' }
        : { outcome: 'open', responseTimeMs: elapsed(started), error: null };
      socket.destroy();
    });
    socket.on('error', ({ code = 'unknown error' }: NodeJS.ErrnoException) => {
      result = toResult(code, elapsed(started));
    });
    // Only now is the descriptor free again.
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(result);
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
 * Linux may give a connection to an unused port of the ephemeral range that same port as its own, and
 * then the socket meets itself (a simultaneous open, RFC 9293, 3.5): nobody listens there.
 */
export function isSelfConnected(socket: Socket): boolean {
  return socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
}

function elapsed(started: number): number {
  return Math.round((performance.now() - started) * 1000) / 1000;
}
