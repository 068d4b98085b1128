import type { Caller, Role } from './caller.js';
import * as refusals from './refusals.js';

/** What a caller is about to do: only read, or change something. A probe stores what it finds, so it is a change. */
export type Intent = 'read' | 'change';

/** What a caller wants to change: something of one project, the results of an import or audit, ranges, or API keys. */
export type Subject = { project: string } | 'imports' | 'audits' | 'ranges' | 'api-keys';

/** What one caller may see and change. */
export class Access {
  /** The projects that the caller may see; null if that is all of them. */
  readonly projects: readonly string[] | null;
  readonly #role: Role;

  /** @throws AppError unauthorized for an unidentified caller; forbidden for a reader who wants to change something */
  constructor(
    readonly caller: Caller,
    private readonly intent: Intent,
  ) {
    if (caller.kind === 'unidentified') throw refusals.keyMissing();
    this.#role = caller.kind === 'key' ? caller.role : 'admin';
    this.projects = caller.kind === 'key' && caller.role === 'project' ? caller.projects : null;
    if (intent === 'change' && this.#role === 'reader') throw refusals.readerChangesNothing();
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
   * Refuses keys that are limited to some projects. Use it for operations whose answer covers every project, such as
   * `/metrics`.
   * @throws AppError forbidden
   */
  requireEveryProject(): void {
    if (this.projects !== null) throw refusals.notForProjectKeys();
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

  /** @throws AppError forbidden */
  requireChange(subject: Subject): void {
    if (this.intent !== 'change') throw new Error('An operation that only reads was about to change something');
    if (typeof subject === 'object') this.requireProject(subject.project);
    else if (subject === 'ranges') this.requireAdmin();
    else if (subject === 'api-keys') this.requireAdminKey();
  }
}
