import type { AppError } from '../errors.js';
import type { Caller, Role } from './caller.js';
import * as refusals from './refusals.js';

/** What a caller is about to do: only read, or change something. A probe stores what it finds, so it is a change. */
export type Intent = 'read' | 'change';

/**
 * What a caller wants to change: something of one project, the results of an import or audit, ranges, the list of
 * excluded ports, API keys, webhooks, or a Cloudflare tunnel.
 */
export type Subject =
  | { project: string }
  | 'imports'
  | 'audits'
  | 'ranges'
  | 'excluded-ports'
  | 'api-keys'
  | 'webhooks'
  | 'cloudflare';

/** The names on the network that a change would use: hosts on which it takes ports, and Cloudflare hostnames it sets. */
export interface NetworkNames {
  hosts?: readonly string[];
  hostnames?: readonly string[];
}

/** What one caller may see and change. */
export class Access {
  /** The projects that the caller may see; null if that is all of them. */
  readonly projects: readonly string[] | null;
  readonly #role: Role;
  readonly #hostnames: readonly string[] | null;
  readonly #hosts: readonly string[] | null;

  /** @throws AppError unauthorized for an unidentified caller; forbidden for a reader who wants to change something */
  constructor(
    readonly caller: Caller,
    private readonly intent: Intent,
  ) {
    if (caller.kind === 'unidentified') throw refusals.keyMissing();
    this.#role = caller.kind === 'key' ? caller.role : 'admin';
    this.projects = caller.kind === 'key' && caller.role === 'project' ? caller.projects : null;
    this.#hostnames = caller.kind === 'key' ? caller.hostnames : null;
    this.#hosts = caller.kind === 'key' ? caller.hosts : null;
    if (intent === 'change' && this.#role === 'reader') throw refusals.readerChangesNothing();
  }

  get isAdmin(): boolean {
    return this.#role === 'admin';
  }

  sees(project: string): boolean {
    return this.projects === null || this.projects.includes(project);
  }

  /**
   * Refuses a project that the caller's key does not cover. The refusal is the same whether or not there is a project
   * of that name, so that nobody finds out which projects exist by trying names.
   * @throws AppError forbidden
   */
  requireProject(project: string): void {
    if (!this.sees(project)) throw refusals.projectNotCovered(project, this.projects ?? []);
  }

  /**
   * Refuses a change that would use names which the caller's key does not cover. What is held already may be read and
   * released whatever its names are.
   * @throws AppError forbidden
   */
  requireNames({ hosts = [], hostnames = [] }: NetworkNames): void {
    for (const host of hosts) {
      const refusal = this.findHostRefusal(host);
      if (refusal) throw refusal;
    }
    const allowed = this.#hostnames;
    const refused = allowed && hostnames.find((name) => !allowed.some((suffix) => isAtOrBelow(name, suffix)));
    if (refused) throw refusals.hostnameNotCovered(refused, allowed);
  }

  /** The refusal that a caller gets who takes a port on this host; null where the caller may. */
  findHostRefusal(host: string): AppError | null {
    const allowed = this.#hosts;
    return allowed === null || allowed.includes(host) ? null : refusals.hostNotCovered(host, allowed);
  }

  /**
   * Refuses keys that are limited to some projects. Use it for operations whose answer covers every project, such as
   * `/metrics`.
   * @throws AppError forbidden
   */
  requireEveryProject(): void {
    if (this.projects !== null) throw refusals.notForProjectKeys();
  }

  /** The refusal that a caller gets who would have to create the project; null where the caller may. */
  findCreationRefusal(project: string, suggestions: string[] = []): AppError | null {
    return this.#role === 'admin' ? null : refusals.projectNotCreated(project, this.#role, suggestions);
  }

  /** @throws AppError forbidden */
  requireAdmin(): void {
    if (this.#role !== 'admin') throw refusals.adminsOnly(this.#role);
  }

  /**
   * Only a caller with an admin key may manage keys. Without this check, anybody could create a key while keys are
   * switched off, and still hold it after they are switched on.
   * @throws AppError forbidden
   */
  requireAdminKey(): void {
    if (this.caller.kind !== 'key') throw refusals.keysNotInForce();
    this.requireAdmin();
  }

  /**
   * Refuses readers. A webhook's URL often holds a secret of its receiver, and a delivery tells nothing that the change
   * feed does not.
   * @throws AppError forbidden
   */
  requireWebhooks(): void {
    if (this.#role === 'reader') throw refusals.webhooksNotForReaders();
  }

  /**
   * Refuses a webhook that would get events which the caller's key does not cover.
   * @throws AppError forbidden, validation-failed
   */
  requireWebhookProjects(projects: readonly string[]): void {
    if (this.projects === null) return;
    if (projects.length === 0) throw refusals.webhookWithoutProjects(this.projects);
    for (const project of projects) this.requireProject(project);
  }

  /** @throws AppError forbidden */
  requireChange(subject: Subject): void {
    if (this.intent !== 'change') throw new Error('An operation that only reads was about to change something');
    if (typeof subject === 'object') this.requireProject(subject.project);
    else if (subject === 'ranges' || subject === 'excluded-ports' || subject === 'cloudflare') this.requireAdmin();
    else if (subject === 'api-keys') this.requireAdminKey();
  }
}

/** Whether a hostname is this name or below it. The wildcard `*.shop.example` is below `shop.example`. */
const isAtOrBelow = (hostname: string, name: string): boolean => hostname === name || hostname.endsWith(`.${name}`);
