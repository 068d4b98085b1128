// Run by tests in a process of its own (`startProcess`): the service with a Cloudflare tunnel, whose API is at
// TEST_CLOUDFLARE_URL.
import { pino } from 'pino';
import { loadConfig } from '../../../src/config.js';
import { connectDatabase } from '../../../src/database/connect.js';
import { createService } from '../../../src/service.js';
import { runTunnelSync } from '../../../src/services/cloudflare/background.js';

const { TEST_CLOUDFLARE_URL = '', ...variables } = process.env;
const config = loadConfig(variables);
const log = pino();
const database = await connectDatabase(config, log);
const service = createService({ database, config, log, cloudflareUrl: TEST_CLOUDFLARE_URL });
const { signal } = new AbortController();
const feed = service.feed.run(signal);
await runTunnelSync(service.tunnelSync, { config: config.cloudflare, feed: service.feed, log }, signal);
await feed;
