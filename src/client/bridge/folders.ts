import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type AgentsFolder, detectAgentsFolder, remedyForAgents } from '../../detection/agents-folder.js';
import type { Named } from '../../detection/detect.js';
import { FolderProblem } from '../../detection/folder-problem.js';
import { readNamed } from '../detect.js';
import { ClientFailure } from '../failure.js';
import type { Settings } from '../settings.js';
import type { Message } from './messages.js';

/** Asks the client, and answers its result; null if it refuses. There is no answer if the client gives none. */
export type AskClient = (method: string) => Promise<{ [name: string]: unknown } | null>;

/** How long the calls of an agent wait for its client to tell its roots. */
const ANSWER_MS = 2000;
/** What the service takes, and proxies take of one header by default. The longest path of Linux takes 5500 characters. */
const MAX_HEADER_LENGTH = 8000;

/**
 * Tells the service which project and environment a call is about, where the agent leaves that open: by the folder that
 * it names, or else by the only root of its client. The service itself may be on another machine.
 *
 * Clients of the revision 2026-07-28 are not asked: it has no requests of a server, and it deprecates roots in favour of
 * inputs such as `cwd`.
 */
export class Folders {
  #hasRoots = false;
  /** The only root, as the client has answered or will answer. Null before it is asked, and once its roots have changed. */
  #root: Promise<string | null> | null = null;

  constructor(
    private readonly settings: Pick<Settings, 'project' | 'environment'>,
    private readonly ask: AskClient,
  ) {}

  /** Learns from what the client sends whether it has roots, and when they change. */
  note({ method, params }: Message): void {
    if (method === 'notifications/roots/list_changed') this.#root = null;
    if (method !== 'initialize') return;
    const { roots } = (params?.capabilities ?? {}) as { roots?: unknown };
    this.#hasRoots = roots != null;
    this.#root = null;
  }

  /**
   * The header that goes along with the call of a tool.
   * @throws ClientFailure usage, for a folder that the agent names and of which nothing can be said
   */
  async headersOf({ method, params }: Message): Promise<{ folder?: string }> {
    if (method !== 'tools/call') return {};
    const input = (params?.arguments ?? {}) as { project?: unknown; cwd?: unknown };
    if (input.project != null && input.cwd == null) return {};
    const project = await readNamed('project', undefined, this.settings.project);
    const environment = await readNamed('environment', undefined, this.settings.environment);
    const named = { project, environment };
    const folder = typeof input.cwd === 'string' ? await detectFolder(input.cwd, named) : await this.#detectRoot(named);
    if (folder !== null) return { folder: toHeader(folder) };
    if (project === null) return {};
    const given = { project: project.name, environment: environment?.name ?? 'default', path: null, services: null };
    return { folder: toHeader(given) };
  }

  /** Null for a root of which nothing can be said too: the call may need no folder. If it does, it is told to name one. */
  async #detectRoot(named: { project: Named | null; environment: Named | null }): Promise<AgentsFolder | null> {
    const folder = await this.#findRoot();
    if (folder === null) return null;
    return await detectFolder(folder, named).catch((error) => {
      if (error instanceof ClientFailure) return null;
      throw error;
    });
  }

  /**
   * Asks once for all calls. An answer that comes too late for those that wait counts for the next ones, which do not
   * wait for it again. After a refusal the next call asks again.
   */
  #findRoot(): Promise<string | null> {
    if (!this.#hasRoots) return Promise.resolve(null);
    if (this.#root !== null) return this.#root;
    const answered = this.ask('roots/list');
    const root = Promise.race([answered.then(readOnlyRoot), sleep(ANSWER_MS, null, { ref: false })]);
    this.#root = root;
    void answered.then((result) => {
      if (this.#root === root) this.#root = result === null ? null : Promise.resolve(readOnlyRoot(result));
    });
    return root;
  }
}

/** Of a client with several roots nobody knows which one an agent means. */
function readOnlyRoot(result: { roots?: unknown } | null): string | null {
  const roots = Array.isArray(result?.roots) ? result.roots : [];
  const uri: unknown = roots.length === 1 ? roots[0]?.uri : null;
  if (typeof uri !== 'string' || !/^file:/i.test(uri)) return null;
  try {
    return fileURLToPath(uri);
  } catch {
    return null; // of another host, for example, or with a `/` that is percent-encoded
  }
}

async function detectFolder(folder: string, named: { project: Named | null; environment: Named | null }) {
  try {
    return await detectAgentsFolder({ folder, ...named });
  } catch (error) {
    if (!(error instanceof FolderProblem)) throw error;
    throw new ClientFailure('usage', error.message, remedyForAgents(error));
  }
}

/** A path may have characters that a header cannot have. Services that would make the header too long are left out. */
function toHeader(folder: AgentsFolder): string {
  const header = Buffer.from(JSON.stringify(folder)).toString('base64url');
  if (header.length <= MAX_HEADER_LENGTH || folder.services === null) return header;
  return toHeader({ ...folder, services: null });
}
