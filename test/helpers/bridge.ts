import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import type { Test } from 'tap';
import { Bridge } from '../../src/client/bridge/bridge.js';
import { connect } from '../../src/client/connection.js';

// biome-ignore lint/suspicious/noExplicitAny: a test asserts what a message holds, field by field
export type Message = any;

interface Options {
  project?: string;
  environment?: string;
  tools?: string | undefined;
  silenceMs?: number;
}

/** A bridge to what listens at a URL, and its client. */
export function openBridge(url: string, { tools, silenceMs, ...named }: Options = {}) {
  const settings = { project: null, environment: null, ...named };
  const [input, output] = [new PassThrough(), new PassThrough()];
  const connection = connect(
    { url, apiKey: null, dataDir: '', ...settings },
    silenceMs === undefined ? {} : { silenceMs },
  );
  const ended = new Bridge(connection, output, settings, { tools }).run(input);
  let written = '';
  output.setEncoding('utf8');
  return {
    input,
    output,
    send: (...messages: object[]) => {
      for (const message of messages) input.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    },
    /** The next message that it writes. */
    async next(): Promise<Message> {
      while (!written.includes('\n')) {
        const text = output.read();
        if (text === null) await once(output, 'readable');
        else written += text;
      }
      const [line = '', ...rest] = written.split('\n');
      written = rest.join('\n');
      return JSON.parse(line);
    },
    /** Ends the input, waits for the end of the bridge, and returns all that it has written. */
    async finish(): Promise<Message[]> {
      output.on('data', (text) => (written += text));
      input.end();
      await ended;
      return written.split('\n').flatMap((line) => (line === '' ? [] : JSON.parse(line)));
    },
  };
}

/** Serves what the test says, in the place of the service. */
export async function serve(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
