import { fileURLToPath } from 'node:url';
import { type Detected, detect } from '../../detection/detect.js';
import { FolderProblem } from '../../detection/folder-problem.js';
import { readNamed } from '../detect.js';
import { ClientFailure } from '../failure.js';
import type { Settings } from '../settings.js';
import type { Message } from './messages.js';

/** Asks the client, and answers its result; null if it refuses or gives no answer in time. */
export type AskClient = (method: string) => Promise<{ [name: string]: unknown } | null>;

/**
 * Tells the service which project and environment a call is about, where the agent leaves that open: by the folder that
 * it names, or else by the only root of its client. The service itself may be on another machine.
 */
export class Folders {
  #hasRoots = false;
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
    this.#hasRoots = roots !== undefined;
    this.#root = null;
  }

  /**
   * The header that goes along with the call of a tool.
   * @throws ClientFailure usage, for a folder of which nothing can be said
   */
  async headersOf({ method, params }: Message): Promise<{ folder?: string }> {
    if (method !== 'tools/call') return {};
    const input = (params?.arguments ?? {}) as { project?: unknown; cwd?: unknown };
    if (input.project != null && input.cwd == null) return {};
    const folder = typeof input.cwd === 'string' ? input.cwd : await this.#findRoot();
    const project = await readNamed('project', undefined, this.settings.project);
    const environment = await readNamed('environment', undefined, this.settings.environment);
    if (folder !== null) return { folder: toHeader(await detectFor(folder, { project, environment })) };
    if (project === null) return {};
    return { folder: toHeader({ project: project.name, environment: environment?.name ?? 'default' }) };
  }

  /** Of a client with several roots nobody knows which one an agent means. */
  #findRoot(): Promise<string | null> {
    if (!this.#hasRoots) return Promise.resolve(null);
    this.#root ??= this.ask('roots/list').then((result) => {
      const { roots = [] } = (result ?? {}) as { roots?: { uri: string }[] };
      const [root, ...others] = roots;
      return root?.uri.startsWith('file:') && others.length === 0 ? fileURLToPath(root.uri) : null;
    });
    return this.#root;
  }
}

async function detectFor(folder: string, named: Pick<Parameters<typeof detect>[0], 'project' | 'environment'>) {
  try {
    return await detect({ folder, ...named });
  } catch (error) {
    if (!(error instanceof FolderProblem)) throw error;
    const { message, remedy, isAvoidable } = error;
    throw new ClientFailure('usage', message, `${remedy}${isAvoidable ? ', or name project and environment' : ''}.`);
  }
}

type Told = Pick<Detected, 'project' | 'environment'> & Partial<Detected>;

/** A header holds no other characters than those of percent-encoding. */
function toHeader({ project, environment, path, isEnvironmentGiven, manifest }: Told): string {
  const services = manifest?.services.map(({ service }) => service) ?? null;
  const folder = { project, environment, path: isEnvironmentGiven ? null : (path ?? null), services };
  return encodeURIComponent(JSON.stringify(folder));
}
