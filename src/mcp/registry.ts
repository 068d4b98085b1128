import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { CallToolResult } from '@modelcontextprotocol/server';
import type { Logger } from 'pino';
import type { Redact } from '../access/redact.js';
import type { Config } from '../config.js';
import { connectDatabase, type Database } from '../database/connect.js';
import { prepareDatabase } from '../database/prepare.js';
import { DataDirLockedError, lockUnlessAwaited } from '../embedded/data-dir-lock.js';
import type { PeerEndpoint } from '../embedded/holder.js';
import { AppError, StartError } from '../errors.js';
import { createService, type Service } from '../service.js';
import { runMonitor } from '../services/monitor.js';
import { requireStorable } from './inputs.js';
import { type PeerServer, passOn, servePeers } from './peers.js';
import { refuse } from './results.js';
import type { KeyedRequest, ToolRequest } from './tool.js';
import { auditPorts } from './tools/reality.js';
import { type CallToolWithKey, findTool, openToolsForKeys } from './tools.js';

/**
 * How long a call waits while a living process holds the lock and does not accept calls yet. Opening a new database
 * took 37 s on a busy machine. If no process holds the lock, the call takes it itself. A client that has waited enough
 * can cancel.
 */
const PATIENCE_MS = 120_000;
/** How much longer a call may take if it is passed on to another process. */
const PASSING_MS = 20_000;
const AUDIT_LIMIT_MS = 3_600_000;
const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 500;

/** The registry of a stdio process. */
export interface Registry {
  /** Executes a call with the API key of this process, which counts if keys are in force where the call is executed. */
  callTool(request: ToolRequest): Promise<CallToolResult>;
  /** Waits for the calls under way, and closes the database if it is open in this process. */
  close(): Promise<void>;
}

/** PostgreSQL is opened by every process. The embedded database is opened by one process, which serves the others. */
export function openRegistry(config: Config, log: Logger, redact: Redact): Registry {
  return config.databaseUrl === null ? new SharedRegistry(config, log, redact) : openOwn(config, log, redact);
}

function openOwn(config: Config, log: Logger, redact: Redact): Registry {
  const stopping = new AbortController();
  const open = async () => {
    const database = await connectDatabase(config, log);
    const service = createService({ database, config, log });
    return { database, service, callTool: openToolsForKeys(service) };
  };
  let opening = open();
  /** @returns why the database cannot be used */
  const prepare = async (): Promise<StartError | null> => {
    try {
      await prepareDatabase((await opening).database, config, log, stopping.signal);
    } catch (error) {
      log.warn({ err: error }, 'The database could not be prepared');
      if (error instanceof StartError) return error;
    }
    return null;
  };
  let preparing: Promise<StartError | null> | null = prepare();
  return {
    async callTool(request) {
      // After a refusal. Somebody may have done by now what the refusal says, so DATABASE_URL's files are read again too.
      if (preparing === null) {
        opening = opening.catch(open);
        preparing = prepare();
      }
      // Waits until a new database is migrated. If the database does not answer, the call itself is refused for that.
      const reason = await Promise.race([preparing, setTimeout(config.requestTimeoutMs, null, { ref: false })]);
      if (reason !== null) {
        preparing = null;
        return refuse(reason, request.requestId, log, redact);
      }
      return (await opening).callTool({ ...request, apiKey: config.apiKey });
    },
    async close() {
      stopping.abort();
      const opened = await opening.catch(() => null);
      if (!opened) return;
      const { database, service } = opened;
      service.prober.stop();
      await service.keyring.touch();
      await database.close();
    },
  };
}

/**
 * One registry for all processes of a user: whoever gets the data directory's lock has the database open and
 * serves the others; the others pass their calls on. When the holder ends, however it ends, the next call finds
 * or becomes the new one. See docs/decisions/0004-one-registry-many-agents.md.
 */
class SharedRegistry implements Registry {
  #held: Held | null = null;
  #found: PeerEndpoint | null = null;
  #searching: Promise<void> | null = null;
  #givingWay: Promise<void> | null = null;
  readonly #stopping = new AbortController();

  constructor(
    readonly config: Config,
    readonly log: Logger,
    readonly redact: Redact,
  ) {}

  async callTool(given: ToolRequest): Promise<CallToolResult> {
    // With an idempotency key, a call that takes a new port each time can be repeated safely.
    const idempotencyKey = given.idempotencyKey ?? randomUUID();
    const call = { ...given, idempotencyKey, apiKey: this.config.apiKey };
    const deadline = Date.now() + PATIENCE_MS;
    let waitMs = FIRST_WAIT_MS;
    const refused = (error: unknown) => refuse(error, call.requestId, this.log, this.redact);
    for (;;) {
      const result = await this.#try(call).catch(refused);
      if (result) return result;
      if (this.#closed || call.signal.aborted || Date.now() >= deadline) {
        return refused(unavailable('No process serves the registry.'));
      }
      await setTimeout(waitMs);
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    }
  }

  get #closed(): boolean {
    return this.#stopping.signal.aborted;
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#searching?.catch(() => {});
    await this.#givingWay;
    await this.#held?.close();
  }

  /** @returns null if the call may be tried again, because it was not executed or may safely be executed twice */
  async #try(call: KeyedRequest): Promise<CallToolResult | null> {
    requireStorable(call.input);
    if (!this.#held && !this.#found && !this.#closed) {
      this.#searching ??= this.#findOrBecome().finally(() => {
        this.#searching = null;
      });
      await this.#searching;
    }
    if (this.#held) return this.#held.callTool(call);
    const endpoint = this.#found;
    if (!endpoint) return null;
    // An audit may take longer than any other call.
    const limitMs = call.name === auditPorts.name ? AUDIT_LIMIT_MS : this.config.requestTimeoutMs + PASSING_MS;
    const passed = await passOn(endpoint, call, limitMs);
    if (passed.outcome === 'answered') return passed.result;
    if (passed.outcome === 'refused') throw passed.refusal;
    if (this.#found === endpoint) this.#found = null;
    if (passed.outcome === 'not-executed' || isRepeatable(call)) return null;
    throw unavailable('The process that served the registry ended, and whether it did what was asked is not known.');
  }

  async #findOrBecome(): Promise<void> {
    try {
      this.#held = await Held.open(this.config, this.log, () => this.#yield(), this.#stopping.signal);
    } catch (error) {
      if (!(error instanceof DataDirLockedError)) throw error;
      this.#found = error.holder?.endpoint ?? null;
    }
  }

  #yield(): void {
    const held = this.#held;
    if (!held || this.#closed) return; // whoever asks gets the lock soon anyway
    this.log.info({}, 'Giving the registry to a service or script that starts');
    this.#held = null;
    this.#givingWay = held.close().catch((error) => this.log.error({ err: error }, 'The database could not be closed'));
  }
}

/** Whether the call may be repeated although it may have been executed already. */
function isRepeatable({ name, input }: ToolRequest): boolean {
  const repeatable = findTool(name)?.repeatable;
  // The condition of 'with-key' is met, because `callTool` gives every call an idempotency key.
  const hasId = (input as { id?: unknown })?.id !== undefined;
  return repeatable === 'always' || repeatable === 'with-key' || (repeatable === 'by-id' && hasId);
}

/** The call may have been passed on to a process that executed it and ended before it answered. */
function unavailable(detail: string): AppError {
  return new AppError('database-unavailable', detail, { retryAfter: 1, isOutcomeUnknown: true });
}

/** The embedded database, open in this process. */
class Held {
  readonly #database: Database;
  readonly #callTool: CallToolWithKey;
  readonly #service: Service;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();
  #peers: PeerServer | null = null;
  #monitor: Promise<void> | null = null;

  private constructor(database: Database, service: Service) {
    this.#database = database;
    this.#service = service;
    this.#callTool = openToolsForKeys(service);
  }

  /** @throws DataDirLockedError */
  static async open(config: Config, log: Logger, onYield: () => void, signal: AbortSignal): Promise<Held> {
    const database = await connectDatabase(config, log, lockUnlessAwaited);
    try {
      await prepareDatabase(database, config, log, signal);
      const service = createService({ database, config, log });
      const held = new Held(database, service);
      held.#peers = await servePeers(config.dataDir, (call) => held.callTool(call), onYield);
      // No other process can run the scheduled jobs while this one has the database open.
      held.#monitor = runMonitor(database.db, service, held.#stopping.signal);
      log.info({ dataDir: config.dataDir }, 'Serving the registry');
      return held;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  callTool(call: KeyedRequest): Promise<CallToolResult> {
    const calling = this.#callTool(call).finally(() => this.#underWay.delete(calling));
    this.#underWay.add(calling);
    return calling;
  }

  /**
   * Waits for the calls under way. Audits are ended, because the process that takes over would have to wait for them.
   */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#service.prober.stop();
    await this.#peers?.close();
    await Promise.all([...this.#underWay, this.#monitor]);
    await this.#service.keyring.touch();
    await this.#database.close();
  }
}
