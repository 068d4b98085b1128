// Run by tests in a process of its own that may have few files open (`startProcess`). It opens files until the process
// may have no more, and answers requests in that state.
import { closeSync, openSync } from 'node:fs';
import { pino } from 'pino';
import { buildApp } from '../../src/app.js';
import { divideOpenFiles } from '../../src/config/open-files.js';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { readOpenFilesLimit } from '../../src/machine/open-files.js';
import { Metrics } from '../../src/metrics.js';
import { createService } from '../../src/service.js';
import { requester } from './app.js';
import { silentLog } from './database.js';

/** The requests of a test: those before the process has run out, then those meanwhile, and those after that. */
export type Requests = Record<
  'before' | 'meanwhile' | 'after',
  [method: 'GET' | 'POST', path: string, body?: object][]
>;

const config = loadConfig(process.env);
const database = await connectDatabase(config, silentLog);
const metrics = new Metrics();
const openFiles = divideOpenFiles(config, readOpenFilesLimit());
const service = createService({ database, config, log: pino({ level: 'silent' }), observer: metrics, openFiles });
service.readiness.started();
const app = await buildApp(service, metrics);
const request = requester(app);

const { before, meanwhile, after }: Requests = JSON.parse(process.argv[2] as string);
const ask = async (requests: Requests['before']) => {
  const answers = [];
  for (const [method, path, body] of requests) {
    const begun = performance.now();
    const { status, body: answer, text, headers } = await request(method, path, body);
    answers.push({ status, body: answer ?? text, headers, ms: performance.now() - begun });
  }
  return answers;
};

const first = await ask(before);
const opened: number[] = [];
try {
  for (;;) opened.push(openSync('/dev/null', 'r'));
} catch {}
const second = await ask(meanwhile);
for (const fd of opened) closeSync(fd);
const third = await ask(after);
await app.close();
await database.close();
process.stdout.write(JSON.stringify({ before: first, meanwhile: second, after: third }));
