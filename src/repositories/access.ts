import * as refusals from '../access-refusals.js';
import type { Caller, Role } from '../caller.js';

/** What a caller is about to do: look, or change something. A probe stores what it finds, and so is a change. */
export type Intent = 'read' | 'change';

/** What a change is about: the ports of one project; of all that the caller sees; or what is for admins. */
export type Subject = { project: string } | 'imports' | 'audits' | 'ranges' | 'api-keys';

/** What one caller may see and change. */
export class Access {
  /** Null: all of them. */
  readonly projects: readonly string[] | null;
  readonly #role: Role;

  /** @throws AppError unauthorized, or forbidden for a reader who is about to change something */
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
   * For a project that the caller names itself: the same answer whether or not there is one of that name.
   * @throws AppError forbidden
   */
  demandProject(project: string): void {
    if (!this.sees(project)) throw refusals.projectNotCovered(project, this.projects ?? []);
  }

  /**
   * For what tells of all projects at once.
   * @throws AppError forbidden
   */
  demandEveryProject(): void {
    if (this.projects !== null) throw refusals.notForProjectKeys();
  }

  /**
   * For keys: where none are in force, whoever reaches the service could make one that outlasts that.
   * @throws AppError forbidden
   */
  demandAdminKey(): void {
    if (this.caller.kind !== 'key') throw refusals.keysNotInForce();
    this.demandAdmin();
  }

  /** @throws AppError forbidden */
  demandAdmin(): void {
    if (this.#role !== 'admin') throw refusals.adminsOnly(this.#role);
  }

  /** @throws AppError forbidden */
  demandChange(subject: Subject): void {
    if (this.intent !== 'change') throw new Error('An operation that only reads was about to change something');
    if (typeof subject === 'object') this.demandProject(subject.project);
    else if (subject === 'ranges') this.demandAdmin();
    else if (subject === 'api-keys') this.demandAdminKey();
  }
}
