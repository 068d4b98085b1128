import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import type { Test } from 'tap';

export interface Received {
  id: string;
  path: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts what an event holds, field by field
  event: any;
  headers: IncomingMessage['headers'];
}

/** Answers one request. The request counts as received before that. */
export type Answerer = (request: Received, response: ServerResponse) => void;

const ok: Answerer = (_request, response) => response.writeHead(204).end();

/** A receiver of webhooks on loopback. It takes what is signed with `secret`, and answers 401 to everything else. */
export async function startReceiver(t: Test, answer: Answerer = ok) {
  const received: Received[] = [];
  const receiver = {
    secret: '',
    answer,
    received,
    refused: 0,
    url: '',
    port: 0,
    types: () => received.map(({ event }) => event.type as string),
    /** Waits until so many requests were received. */
    async has(count: number, timeoutMs = 20_000): Promise<Received[]> {
      for (const deadline = Date.now() + timeoutMs; received.length < count; await sleep(5)) {
        if (Date.now() > deadline) throw new Error(`${received.length} of ${count} were received`);
      }
      return received;
    },
  };
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      try {
        const event = new Webhook(receiver.secret).verify(body, request.headers as Record<string, string>);
        const one = {
          id: request.headers['webhook-id'] as string,
          path: request.url ?? '',
          event,
          headers: request.headers,
        };
        received.push(one);
        receiver.answer(one, response);
      } catch {
        receiver.refused += 1;
        response.writeHead(401).end();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  receiver.port = (server.address() as AddressInfo).port;
  receiver.url = `http://127.0.0.1:${receiver.port}/events`;
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return receiver;
}
