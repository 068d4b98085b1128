#!/usr/bin/env node
import { Console } from 'node:console';
import { PassThrough } from 'node:stream';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import { redactKeys } from '../access/redact.js';
import { loadConfig } from '../config.js';
import { closeBeforeExit } from '../process/ending.js';
import { openLog } from '../process/log.js';
import { describeStartError } from '../start-error.js';
import { endOnceAnswered } from './last-answers.js';
import { openRegistry } from './registry.js';
import { createServer } from './server.js';

const CLOSE_MS = 10_000;

function main(): void {
  // Only MCP messages may go to stdout. A library that printed something there would break the client.
  globalThis.console = new Console(process.stderr);
  const config = loadConfig(process.env, { dotenv: true });
  const redact = redactKeys(config.adminApiKey, config.apiKey);
  const log = openLog(config.logLevel, 2, redact);
  const registry = openRegistry(config, log, redact);
  const input = new PassThrough();
  const transport = new StdioServerTransport(input, process.stdout);
  serveStdio(() => createServer((request) => registry.callTool(request), redact), {
    transport,
    onerror: (err) => log.debug({ err }, 'MCP message refused'),
  });
  const end = closeBeforeExit(log, CLOSE_MS, async ({ err }) => {
    if (err) log.fatal({ err }, 'Unexpected error; stopping');
    await registry.close();
  });
  input.once('close', end); // the client has gone
  endOnceAnswered(transport, input);
}

try {
  main();
} catch (error) {
  process.stderr.write(`${describeStartError(error)}\n`);
  process.exit(1);
}
