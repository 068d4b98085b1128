import type { Logger } from 'pino';
import { type Redact, redactKeys } from './access/api-key.js';
import type { Config } from './config.js';
import type { Database } from './database/connect.js';
import { Metrics } from './metrics.js';
import { Readiness } from './readiness.js';
import { Registry } from './registry/registry.js';
import { Auditor } from './services/auditor.js';
import { Keyring } from './services/keyring.js';
import { Prober } from './services/prober.js';

/**
 * The parts of one process, without its transports. REST, MCP and background work use the same parts, so that they share
 * the queues of commands and look-ups, the cache of API keys, and the limits on probes and audits.
 */
export interface Service {
  readonly config: Config;
  readonly log: Logger;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly registry: Registry;
  readonly keyring: Keyring;
  readonly prober: Prober;
  readonly auditor: Auditor;
  /** Removes API keys from a text that is logged or answered. */
  readonly redact: Redact;
}

export interface ServiceOptions {
  database: Pick<Database, 'db'> & Partial<Pick<Database, 'poolCounts'>>;
  config: Config;
  log: Logger;
  readiness?: Readiness;
  /** How many commands or look-ups one batch may hold. The benchmark sets 1, to compare with a service without batches. */
  maxBatch?: number;
}

/** Builds the parts of a process. Nothing connects, listens or runs in the background yet. */
export function createService(options: ServiceOptions): Service {
  const { database, config, log, readiness = new Readiness(), maxBatch } = options;
  const metrics = new Metrics(database.poolCounts);
  const prober = new Prober(config, metrics);
  return {
    config,
    log,
    readiness,
    metrics,
    registry: new Registry(database.db, metrics, { maxBatch }),
    keyring: new Keyring(database.db, config.adminApiKey, metrics),
    prober,
    auditor: new Auditor(prober),
    redact: redactKeys(config.adminApiKey),
  };
}
