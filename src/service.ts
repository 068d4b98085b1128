import type { Logger } from 'pino';
import { type Redact, redactKeys } from './access/redact.js';
import { type Machine, NO_MACHINE } from './allocator/trials.js';
import { divideOpenFiles, type OpenFiles } from './config/open-files.js';
import type { Config } from './config.js';
import type { Database } from './database/connect.js';
import { findUnusable } from './machine/try-to-listen.js';
import { type Observer, unobserved } from './observer.js';
import { Readiness } from './readiness.js';
import { Registry } from './registry/registry.js';
import { Auditor } from './services/audits/audit.js';
import { TunnelSync } from './services/cloudflare/tunnel-sync.js';
import { EventFeed, POLL_MS, SELDOM_POLL_MS } from './services/events/feed.js';
import { Keyring } from './services/keyring.js';
import { LocalListeners } from './services/listeners/local-listeners.js';
import { ListenerWarnings } from './services/listeners/warnings.js';
import { SYSTEM_NAMES } from './services/probes/names.js';
import { Prober } from './services/probes/prober.js';
import { Destinations } from './services/webhooks/destination.js';

/**
 * The parts of one process, without its transports. REST, MCP and background work use the same parts, so that they
 * share the queues of commands and look-ups, the cache of API keys, and the limits on probes and audits.
 */
export interface Service {
  readonly config: Config;
  readonly openFiles: OpenFiles;
  readonly log: Logger;
  readonly readiness: Readiness;
  /** Told what happens; the metrics, in a process that serves them. */
  readonly observer: Observer;
  readonly registry: Registry;
  readonly keyring: Keyring;
  readonly prober: Prober;
  readonly auditor: Auditor;
  readonly feed: EventFeed;
  /** Where webhooks may lead. */
  readonly destinations: Destinations;
  readonly tunnelSync: TunnelSync;
  readonly listeners: LocalListeners;
  readonly listenerWarnings: ListenerWarnings;
  /** Removes API keys from a text that is logged or answered. */
  readonly redact: Redact;
}

export interface ServiceOptions {
  database: Pick<Database, 'db'> & Partial<Pick<Database, 'kind'>>;
  config: Config;
  log: Logger;
  readiness?: Readiness;
  observer?: Observer;
  /** What each part may have open; without it, there is no limit. */
  openFiles?: OpenFiles;
  /**
   * How many commands or look-ups one batch may hold. The benchmark sets 1, to compare with a service without batches.
   */
  maxBatch?: number;
  /** Of Cloudflare's API; tests have another one. */
  cloudflareUrl?: string;
}

/** Builds the parts of a process. Nothing connects, listens or runs in the background yet. */
export function createService(options: ServiceOptions): Service {
  const { database, config, log, readiness = new Readiness(), observer = unobserved, maxBatch } = options;
  const openFiles = options.openFiles ?? divideOpenFiles(config, null);
  const listeners = new LocalListeners(config, log);
  const prober = new Prober(config, observer, SYSTEM_NAMES, openFiles, listeners);
  const feed = new EventFeed(database.db, {
    source: sourceOf(config),
    log,
    observer,
    pollMs: database.kind === 'embedded' ? SELDOM_POLL_MS : POLL_MS,
  });
  const redact = redactKeys(config.adminApiKey, config.cloudflare?.apiToken ?? null);
  const registry = new Registry(database.db, observer, {
    maxBatch,
    limits: config.limits,
    machine: machineOf(config, listeners),
    onChange: () => feed.changed(),
  });
  return {
    config,
    openFiles,
    log,
    readiness,
    observer,
    registry,
    keyring: new Keyring(database.db, config.adminApiKey, observer),
    prober,
    auditor: new Auditor(prober),
    feed,
    destinations: new Destinations(config),
    tunnelSync: new TunnelSync({
      db: database.db,
      config: config.cloudflare,
      registry,
      feed,
      log,
      observer,
      redact,
      url: options.cloudflareUrl,
    }),
    listeners,
    listenerWarnings: new ListenerWarnings(listeners),
    redact,
  };
}

/** What events have as their `source`. */
export const sourceOf = ({ publicUrl }: Pick<Config, 'publicUrl'>): string => publicUrl ?? 'urn:port-allocator';

/** Of no ports with AVOID_LISTENING=false. */
function machineOf({ avoidListening }: Config, listeners: LocalListeners): Machine {
  return avoidListening ? { has: ({ host }) => listeners.isHere(host), findUnusable } : NO_MACHINE;
}
