import { once } from 'node:events';
import { createServer, type IncomingMessage, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';

/** What is between a browser and the service. */
export interface Gate {
  url: string;
  /** The requests that came through, such as `GET /v1/ranges`, without their queries. */
  requests: string[];
  /** What the browser sent as its last event, each time that it opened the feed; '' where it began anew. */
  resumed: string[];
  /** Breaks all connections, and takes no more. */
  cut(): void;
  /** While it is cut: resolves when nobody has tried to connect for a while. */
  untilNobodyTries(): Promise<void>;
  mend(): void;
}

/** Much longer than the requests of one attempt of the page are apart. */
const QUIET_MS = 500;

/**
 * Opens a gate to a service. It passes on what it gets as it comes, or, as some proxies do, keeps each answer until it is
 * complete, so that a stream never begins.
 */
export async function openGate(t: Test, target: string, { keepsAnswers = false } = {}): Promise<Gate> {
  const requests: string[] = [];
  const resumed: string[] = [];
  let isCut = false;
  let refused = 0;
  const server = createServer((incoming, outgoing) => {
    const path = (incoming.url ?? '').replace(/\?.*/, '');
    requests.push(`${incoming.method} ${path}`);
    if (path.endsWith('/v1/events')) resumed.push(String(incoming.headers['last-event-id'] ?? ''));
    const onward = send(new URL(incoming.url ?? '/', target), { method: incoming.method, headers: incoming.headers });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    onward.on('response', (answer: IncomingMessage) => {
      const { statusCode = 502, headers } = answer;
      answer.on('error', () => outgoing.destroy());
      if (!keepsAnswers) {
        outgoing.writeHead(statusCode, headers).flushHeaders();
        return answer.pipe(outgoing);
      }
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      return answer.on('end', () => outgoing.writeHead(statusCode, headers).end(Buffer.concat(parts)));
    });
    incoming.pipe(onward);
  });
  server.on('connection', (socket) => {
    if (!isCut) return;
    refused += 1;
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    resumed,
    cut() {
      isCut = true;
      server.closeAllConnections();
    },
    async untilNobodyTries() {
      for (let before = -1; before !== refused; await sleep(QUIET_MS)) before = refused;
    },
    mend() {
      isCut = false;
    },
  };
}
