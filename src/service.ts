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
 * All that one process is made of, short of its transports. REST, MCP and background work use the same parts, so that
 * they share queues, look-ups, keys that are known, and the bounds on probes and audits.
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
  /** Takes API keys out of what is logged or answered. */
  readonly redact: Redact;
}

export interface ServiceOptions {
  database: Pick<Database, 'db'> & Partial<Pick<Database, 'poolCounts'>>;
  config: Config;
  log: Logger;
  readiness?: Readiness;
  /** 1 gives each call a transaction or query of its own, for comparison. */
  maxBatch?: number;
}

/** Builds the parts of a process. Nothing runs, connects or listens yet. */
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
