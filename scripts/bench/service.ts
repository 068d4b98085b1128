// The service in a process of its own, to be measured. With BENCH_MAX_BATCH=1 it does not batch.
import { pino } from 'pino';
import { buildApp } from '../../src/app.js';
import { loadConfig } from '../../src/config.js';
import { connectDatabase } from '../../src/database/connect.js';
import { Metrics } from '../../src/metrics.js';
import { createService } from '../../src/service.js';

const config = loadConfig(process.env);
const log = pino({ level: 'warn' });
const database = await connectDatabase(config, log);
const maxBatch = process.env.BENCH_MAX_BATCH;
const batching = maxBatch === undefined ? {} : { maxBatch: Number(maxBatch) };
const metrics = new Metrics(database.poolCounts);
const service = createService({ database, config, log, observer: metrics, ...batching });
const app = await buildApp(service, metrics);
await app.listen({ host: config.host, port: config.port });
service.readiness.started();
void service.feed.run(new AbortController().signal); // as in production, until the process ends
process.send?.('ready');
process.on('message', () => process.send?.(process.memoryUsage.rss()));
process.on('disconnect', () => process.exit(0));
