import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { detectAgentsFolder, type ToldFolder, tellAgent } from '../../detection/agents-folder.js';
import type { Named } from '../../detection/detect.js';
import { FolderProblem } from '../../detection/folder-problem.js';
import { NAME_PATTERN } from '../../input/slug.js';
import { readNamed } from '../detect.js';
import type { Settings } from '../settings.js';
import type { Message } from './messages.js';

/** Asks the client, and answers its result; null if it refuses. There is no answer if the client gives none. */
export type AskClient = (method: string) => Promise<{ [name: string]: unknown } | null>;

/** What the variables name; null for what they leave open. */
interface Names {
  project: Named | null;
  environment: Named | null;
}

/** How long the calls of an agent wait for its client to tell its roots. */
const ANSWER_MS = 2000;
/** What the service takes, and proxies take of one header by default. The longest path of Linux takes 5500 characters. */
const MAX_HEADER_LENGTH = 8000;

/**
 * Tells the service which project and environment a call is about, where the agent leaves that open: by the variables
 * PORT_ALLOCATOR_PROJECT and PORT_ALLOCATOR_ENVIRONMENT, or else by the folder that the agent names, or else by the only
 * root of its client. The service itself may be on another machine.
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
   * The header that goes along with the call of a tool. Nothing is read, and the client is not asked, where names say all.
   * What the agent itself names is left to the service, which reads it in the call.
   * @throws ClientFailure usage, for a variable that is no name
   */
  async headersOf({ method, params }: Message): Promise<{ folder?: string }> {
    if (method !== 'tools/call') return {};
    const input = (params?.arguments ?? {}) as { [name: string]: unknown };
    const names = {
      project: await readNamed('project', undefined, this.settings.project),
      environment: await readNamed('environment', undefined, this.settings.environment),
    };
    const needsServices = params?.name === 'get-environment-ports' && input.services == null;
    const isOpen =
      (input.project == null && names.project === null) ||
      (input.environment == null && names.environment === null) ||
      needsServices;
    const folder = (isOpen ? await this.#findFolder(input.cwd, names) : null) ?? toFolder(names, input.project);
    return folder === null ? {} : { folder: toHeader(folder) };
  }

  async #findFolder(cwd: unknown, names: Names): Promise<ToldFolder | null> {
    if (typeof cwd === 'string') return await detectFolder(cwd, names);
    const root = await this.#findRoot();
    const folder = root === null ? null : await detectFolder(root, names);
    // The call may need no folder. If it does, the agent is told to name one.
    return folder !== null && 'problem' in folder ? null : folder;
  }

  /**
   * Asks once for all calls. An answer that comes too late for those that wait counts for the next ones, which do not
   * wait for it again. After a refusal the next call asks again. While they wait, nothing but this timer may keep the
   * process alive.
   */
  #findRoot(): Promise<string | null> {
    if (!this.#hasRoots) return Promise.resolve(null);
    if (this.#root !== null) return this.#root;
    const answered = this.ask('roots/list');
    const root = Promise.race([answered.then(readOnlyRoot), sleep(ANSWER_MS, null)]);
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

const isName = (value: unknown): value is string => typeof value === 'string' && new RegExp(NAME_PATTERN).test(value);

/** What the variables say without a folder; null if that is nothing. Their environment counts for any project. */
function toFolder({ project, environment }: Names, byAgent: unknown): ToldFolder | null {
  const named = isName(byAgent) ? byAgent : project?.name;
  if (named === undefined || (project === null && environment === null)) return null;
  return { project: named, environment: environment?.name ?? 'default', path: null, services: null };
}

async function detectFolder(folder: string, names: Names): Promise<ToldFolder> {
  try {
    return await detectAgentsFolder({ folder, ...names });
  } catch (error) {
    if (!(error instanceof FolderProblem)) throw error;
    return { problem: tellAgent(error) };
  }
}

/** A path may have characters that a header cannot have. Services that would make the header too long are left out. */
function toHeader(folder: ToldFolder): string {
  const header = Buffer.from(JSON.stringify(folder)).toString('base64url');
  if (header.length <= MAX_HEADER_LENGTH) return header;
  return 'services' in folder && folder.services !== null ? toHeader({ ...folder, services: null }) : header;
}
