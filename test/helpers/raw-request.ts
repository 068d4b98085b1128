import { connect } from 'node:net';
import type { Test } from 'tap';

export interface RawRequest {
  /** The status of the first answer. Rejects if the connection is closed without one. */
  readonly status: Promise<number>;
  /** Everything that was answered, once the connection is closed. */
  readonly closed: Promise<string>;
  write(bytes: string): void;
  destroy(): void;
}

/**
 * Sends bytes on a connection of its own, which stays open.
 * @param from the address that they come from. Every address of 127.0.0.0/8 belongs to this machine (RFC 1122).
 */
export function sendRaw(t: Test, url: string, bytes: string, from = '127.0.0.1'): RawRequest {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), localAddress: from });
  t.teardown(() => socket.destroy());
  socket.setEncoding('latin1').on('error', () => {}); // told by `closed`
  let text = '';
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  const status = new Promise<number>((resolve, reject) => {
    socket.on('data', (data) => {
      text += data;
      const [, found] = /^HTTP\/1\.1 (\d+) /.exec(text) ?? [];
      if (found !== undefined) resolve(Number(found));
    });
    closed.then(() => reject(new Error(`closed without an answer: ${text}`)));
  });
  status.catch(() => {}); // reported where it is awaited
  socket.write(bytes);
  return { status, closed, write: (more) => void socket.write(more), destroy: () => void socket.destroy() };
}

/** The head of a request that announces a body. */
export function headOf(target: string, length: number | 'chunked', headers: Record<string, string> = {}): string {
  const framing = length === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`;
  const others = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${framing}\r\n${others.join('')}\r\n`;
}
