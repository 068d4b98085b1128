import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { detectAgentsFolder, type ToldFolder, tellAgent } from '../../detection/agents-folder.js';
import type { Named } from '../../detection/detect.js';
import { FolderProblem } from '../../detection/folder-problem.js';
import { NAME_PATTERN, toSlug } from '../../input/slug.js';
import { readNamed } from '../detect.js';
import type { Settings } from '../settings.js';
import type { Message } from './messages.js';

/** Asks the client, and answers its result; null if it refuses. There is no answer if the client gives none. */
export type AskClient = (method: string) => Promise<{ [name: string]: unknown } | null>;

/** What an agent or a variable names; null for what is left open. */
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
   * @throws ClientFailure usage, for a variable that is no name
   */
  async headersOf({ method, params }: Message): Promise<{ folder?: string }> {
    if (method !== 'tools/call') return {};
    const input = (params?.arguments ?? {}) as { [name: string]: unknown };
    if (input.project != null && !isName(input.project)) return {}; // the service says what is wrong with it
    const names = await this.#readNames(input);
    const needsServices = params?.name === 'get-environment-ports' && input.services == null;
    const isOpen = names.project === null || names.environment === null || needsServices;
    const folder = isOpen ? await this.#findFolder(input.cwd, names) : null;
    if (folder !== null) return { folder: toHeader(folder) };
    const { project, environment } = names;
    if (project === null) return {};
    const named = { project: project.name, environment: environment?.name ?? 'default', path: null, services: null };
    return { folder: toHeader(named) };
  }

  /** What an agent names counts before the variables, as options of the command do. */
  async #readNames({ project, environment }: { [name: string]: unknown }): Promise<Names> {
    const byAgent = (name: string): Named => ({ name, reason: 'named by the agent' });
    return {
      project: isName(project) ? byAgent(project) : await readNamed('project', undefined, this.settings.project),
      environment:
        typeof environment === 'string'
          ? byAgent(toSlug(environment))
          : await readNamed('environment', undefined, this.settings.environment),
    };
  }

  async #findFolder(cwd: unknown, names: Names): Promise<ToldFolder | null> {
    if (typeof cwd === 'string') return await detectFolder(cwd, names);
    const root = await this.#detectRoot(names);
    // The call may need no folder. If it does, the agent is told to name one.
    return root !== null && 'problem' in root ? null : root;
  }

  /** @returns null where there is no root, and for one of another project than the one that is named */
  async #detectRoot(names: Names): Promise<ToldFolder | null> {
    const ofVariable = this.settings.project;
    if (ofVariable !== null && ofVariable !== names.project?.name) return null;
    const root = await this.#findRoot();
    if (root === null) return null;
    const folder = await detectFolder(root, { ...names, project: ofVariable === null ? null : names.project });
    const isOther = names.project !== null && 'project' in folder && folder.project !== names.project.name;
    return isOther ? null : folder;
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

const isName = (value: unknown): value is string => typeof value === 'string' && new RegExp(NAME_PATTERN).test(value);

async function detectFolder(folder: string, names: Names): Promise<ToldFolder> {
  try {
    return await detectAgentsFolder({ folder, ...names });
  } catch (error) {
    if (!(error instanceof FolderProblem)) throw error;
    return { problem: tellAgent(error) };
  }
}

/** A path may have characters that a header cannot have. What would make the header too long is left out or cut. */
function toHeader(folder: ToldFolder): string {
  const header = Buffer.from(JSON.stringify(folder)).toString('base64url');
  if (header.length <= MAX_HEADER_LENGTH) return header;
  if ('problem' in folder) return toHeader({ problem: `${folder.problem.slice(0, folder.problem.length / 2)}…` });
  return folder.services === null ? header : toHeader({ ...folder, services: null });
}
