import { Socket } from 'node:net';
import type { HealthCheck } from '../../schemas/health-check.js';
import { hasAddressFor, isShortage } from './shortage.js';

/** What a probe has found out about a port. */
export type JudgedResult = Pick<HealthCheck, 'outcome' | 'responseTimeMs' | 'error'>;
/** The port was not probed, because this process or its machine has run out of something. */
export interface NotJudged {
  outcome: 'not-judged';
  responseTimeMs: null;
  /** The error of the system call, one of those that `isShortage` knows. */
  error: string;
}
export type ProbeResult = JudgedResult | NotJudged;

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
 * before a refusal on another, because a slow service may be listening there. An address that could not be tried comes
 * before both, because the service may be listening on it.
 */
const RANK = { open: 0, 'not-judged': 1, timeout: 2, refused: 3, unreachable: 4 };

function connectOnce(host: string, port: number, timeoutMs: number, signal?: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const started = performance.now();
    let result: ProbeResult = { outcome: 'timeout', responseTimeMs: null, error: `no answer in ${timeoutMs} ms` };
    const socket = new Socket();
    const giveUp = () => socket.destroy();
    // If this process was too busy to look for so long, the answer may have come. Node runs what is due by the clock
    // before it looks at sockets, and `setImmediate` after that.
    const timer = setTimeout(() => setImmediate(giveUp), timeoutMs);
    signal?.addEventListener('abort', giveUp);
    socket.on('connect', () => {
      result = isSelfConnected(socket)
        ? { outcome: 'refused', responseTimeMs: elapsed(started), error: 'connected to itself' }
        : { outcome: 'open', responseTimeMs: elapsed(started), error: null };
      socket.destroy();
    });
    socket.on('error', ({ code = 'unknown error' }: NodeJS.ErrnoException) => {
      result = toResult(code, host, elapsed(started));
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

function toResult(code: string, address: string, responseTimeMs: number): ProbeResult {
  if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return { outcome: 'refused', responseTimeMs, error: code };
  if (isShortage(code) && (code !== 'EADDRNOTAVAIL' || hasAddressFor(address))) return notJudged(code);
  const outcome = code === 'ETIMEDOUT' ? 'timeout' : 'unreachable';
  return { outcome, responseTimeMs: null, error: code };
}

/** @param code see `isShortage` */
export function notJudged(code: string): NotJudged {
  return { outcome: 'not-judged', responseTimeMs: null, error: code };
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
