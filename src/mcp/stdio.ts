#!/usr/bin/env node
import { Console } from 'node:console';
import { PassThrough } from 'node:stream';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import closeWithGrace from 'close-with-grace';
import { pino } from 'pino';
import sonic from 'sonic-boom';
import { ConfigError, loadConfig } from '../config.js';
import { endOnceAnswered } from './last-answers.js';
import { openRegistry } from './registry.js';
import { createServer } from './server.js';

const CLOSE_MS = 10_000;
const MAX_UNREAD_BYTES = 1024 * 1024;

function main(): void {
  // Only MCP messages may go to stdout. A library that printed something there would break the client.
  globalThis.console = new Console(process.stderr);
  const config = loadConfig(process.env, { dotenv: true });
  const log = pino({ level: config.logLevel }, openStderr());
  const registry = openRegistry(config, log);
  const input = new PassThrough();
  const transport = new StdioServerTransport(input, process.stdout);
  serveStdio(() => createServer((request) => registry.callTool(request)), {
    transport,
    onerror: (err) => log.debug({ err }, 'MCP message refused'),
  });
  const closing = closeWithGrace({ delay: CLOSE_MS, logger: log }, async ({ err }) => {
    if (err) log.fatal({ err }, 'Unexpected error; stopping');
    await registry.close();
  });
  input.once('close', () => closing.close()); // the client has gone
  endOnceAnswered(transport, input);
}

/**
 * Opens stderr for the log. Many clients never read it. Once the pipe is full, lines wait in memory, up to
 * `MAX_UNREAD_BYTES`, and further ones are lost. The stream that pino opens by default would block the whole process
 * instead, also when it exits, until somebody reads.
 */
function openStderr() {
  const stderr = new sonic.SonicBoom({ fd: process.stderr.fd, sync: false, maxLength: MAX_UNREAD_BYTES });
  return stderr.on('error', () => {});
}

try {
  main();
} catch (error) {
  process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).stack}\n`);
  process.exit(1);
}
