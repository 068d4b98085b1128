import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { CallToolResult } from '@modelcontextprotocol/server';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { connectDatabase, type Database } from '../database/connect.js';
import { prepareDatabase } from '../database/prepare.js';
import { DataDirLockedError, lockUnlessAwaited, type PeerEndpoint } from '../embedded/data-dir-lock.js';
import { AppError } from '../errors.js';
import { createService, type Service } from '../service.js';
import { demandStorable } from './inputs.js';
import { type PeerServer, passOn, servePeers } from './peers.js';
import { refuse } from './results.js';
import type { KeyedRequest, ToolRequest } from './tool.js';
import { auditPorts } from './tools/reality.js';
import { type CallToolWithKey, findTool, openToolsForKeys } from './tools.js';

/**
 * How long a call waits for the living process that has the lock: one that opens a new database took 37 s on a busy
 * machine. Where nobody has it, the call takes it; and a client that has waited enough cancels.
 */
const PATIENCE_MS = 120_000;
/** What a call that is passed on may take, beyond what executing it takes. */
const PASSING_MS = 20_000;
const AUDIT_LIMIT_MS = 3_600_000;
const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 500;

/** The registry of a stdio process. */
export interface Registry {
  /** By whoever has the key that this process was given, if keys are in force where the call is executed. */
  callTool(request: ToolRequest): Promise<CallToolResult>;
  /** Answers what is under way, and closes the database if it is open here. */
  close(): Promise<void>;
}

/** On PostgreSQL every process has the database open; on the embedded one, one process has, and serves the others. */
export function openRegistry(config: Config, log: Logger): Registry {
  return config.databaseUrl === null ? new SharedRegistry(config, log) : openOwn(config, log);
}

function openOwn(config: Config, log: Logger): Registry {
  const stopping = new AbortController();
  const opening = connectDatabase(config, log);
  const prepared = opening.then((database) => prepareDatabase(database, config, log, stopping.signal));
  prepared.catch((error) => log.warn({ err: error }, 'The database could not be prepared'));
  const callTool = opening.then((database) => openToolsForKeys(createService({ database, config, log })));
  return {
    async callTool(request) {
      // A new database is migrated first; one that is away is told as such by the call itself.
      await Promise.race([prepared.catch(() => {}), setTimeout(config.requestTimeoutMs, undefined, { ref: false })]);
      return (await callTool)({ ...request, apiKey: config.apiKey });
    },
    async close() {
      stopping.abort();
      await (await opening).close();
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
  #closed = false;

  constructor(
    readonly config: Config,
    readonly log: Logger,
  ) {}

  async callTool(given: ToolRequest): Promise<CallToolResult> {
    // A key of our own makes repeatable what takes a new port with each call.
    const idempotencyKey = given.idempotencyKey ?? randomUUID();
    const call = { ...given, idempotencyKey, apiKey: this.config.apiKey };
    const deadline = Date.now() + PATIENCE_MS;
    let waitMs = FIRST_WAIT_MS;
    for (;;) {
      const result = await this.#try(call).catch((error) => refuse(error, call.requestId, this.log));
      if (result) return result;
      if (this.#closed || call.signal.aborted || Date.now() >= deadline) {
        return refuse(unavailable('No process serves the registry.'), call.requestId, this.log);
      }
      await setTimeout(waitMs);
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#searching?.catch(() => {});
    await this.#givingWay;
    await this.#held?.close();
  }

  /** @returns null when it may be tried again, because it was not executed or does no harm twice */
  async #try(call: KeyedRequest): Promise<CallToolResult | null> {
    demandStorable(call.input);
    if (!this.#held && !this.#found && !this.#closed) {
      this.#searching ??= this.#findOrBecome().finally(() => {
        this.#searching = null;
      });
      await this.#searching;
    }
    if (this.#held) return this.#held.callTool(call);
    const endpoint = this.#found;
    if (!endpoint) return null;
    // Audits take as long as they take.
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
      this.#held = await Held.open(this.config, this.log, () => this.#yield());
    } catch (error) {
      if (!(error instanceof DataDirLockedError)) throw error;
      this.#found = error.holder?.endpoint ?? null;
    }
  }

  #yield(): void {
    const held = this.#held;
    if (!held) return;
    this.log.info({}, 'Giving the registry to a service or script that starts');
    this.#held = null;
    this.#givingWay = held.close().catch((error) => this.log.error({ err: error }, 'The database could not be closed'));
  }
}

/** Safe to make again although it may have been executed. */
function isRepeatable({ name, input }: ToolRequest): boolean {
  const repeatable = findTool(name)?.repeatable;
  // Every call has a key here.
  const hasId = (input as { id?: unknown })?.id !== undefined;
  return repeatable === 'always' || repeatable === 'with-key' || (repeatable === 'by-id' && hasId);
}

function unavailable(detail: string): AppError {
  return new AppError('database-unavailable', detail, { retryAfter: 1 });
}

/** The embedded database, open in this process. */
class Held {
  readonly #database: Database;
  readonly #callTool: CallToolWithKey;
  readonly #service: Service;
  readonly #underWay = new Set<Promise<unknown>>();
  #peers: PeerServer | null = null;

  private constructor(database: Database, service: Service) {
    this.#database = database;
    this.#service = service;
    this.#callTool = openToolsForKeys(service);
  }

  /** @throws DataDirLockedError */
  static async open(config: Config, log: Logger, onYield: () => void): Promise<Held> {
    const database = await connectDatabase(config, log, lockUnlessAwaited);
    try {
      await prepareDatabase(database, config, log, new AbortController().signal);
      const service = createService({ database, config, log });
      const held = new Held(database, service);
      held.#peers = await servePeers(config.dataDir, (call) => held.callTool(call), onYield);
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

  /** Once what is under way has been answered; audits are ended, because whoever takes over would wait for them. */
  async close(): Promise<void> {
    this.#service.auditor.stop();
    await this.#peers?.close();
    await Promise.all(this.#underWay);
    await this.#database.close();
  }
}
