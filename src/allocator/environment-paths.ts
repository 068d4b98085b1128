/**
 * In which folder an environment lives
 * ====================================
 *
 * A caller may give a path with the services of an environment: the folder of this copy of the stack. The first path
 * that is given while the environment holds a port is on record until the environment holds none any more, on any host
 * and protocol. Meanwhile another path is refused, so that two clones of a repository, which would give their
 * environment the same name, do not share ports.
 *
 * All that changes an environment's ports or path has locked the project's ranges. So whoever releases the last port
 * also removes the path (`release_port()` too), and none is left of environments that are gone. A batch of commands may
 * release the last port and take another in between. The decisions therefore count how many ports the environment holds
 * after each command; the database sees only the end.
 */
import { type RawBuilder, sql } from 'kysely';
import { textArray } from '../database/statements.js';
import * as refusals from '../refusals.js';

/** What look.ts reads of an environment that has a path, or that a command gives one. */
export interface EnvironmentFacts {
  environment: string;
  path: string | null;
  /** How many ports it holds, on all hosts and protocols. */
  held: number;
}

/** The paths of a project's environments, as its commands set them and release ports one after another. */
export class EnvironmentPaths {
  readonly #environments: Map<string, EnvironmentFacts>;

  /** @param changed gets the environments whose path changes, with the new one; null for one that has none any more */
  constructor(
    private readonly project: string,
    facts: readonly EnvironmentFacts[],
    private readonly changed: Map<string, string | null>,
  ) {
    this.#environments = new Map(
      facts.map((known) => [known.environment, { ...known, path: known.held > 0 ? known.path : null }]),
    );
  }

  /** @throws AppError environment-elsewhere if another path is on record */
  requireHere(environment: string, path: string): void {
    const known = this.#find(environment).path;
    if (known !== null && known !== path) throw refusals.environmentElsewhere(this.project, environment, known);
  }

  /** Of an environment that holds a port. */
  set(environment: string, path: string): void {
    const known = this.#find(environment);
    if (known.path === path) return;
    known.path = path;
    this.changed.set(environment, path);
  }

  addPort(environment: string): void {
    const known = this.#environments.get(environment);
    if (known) known.held += 1;
  }

  removePort(environment: string): void {
    const known = this.#environments.get(environment);
    if (!known) return;
    known.held -= 1;
    if (known.held > 0 || known.path === null) return;
    known.path = null;
    this.changed.set(environment, null);
  }

  #find(environment: string): EnvironmentFacts {
    const known = this.#environments.get(environment);
    if (!known) throw new Error(`No command needed the path of the environment ${environment}, so it was not read`);
    return known;
  }
}

/**
 * The query for the environments that commands give a path, and for those that have one and that commands may leave
 * without a port: environments that they name, and those of allocations. For the usual release that is one step into
 * the primary key, which finds nothing. Null if there are none.
 */
export function environmentsOf(
  project: string,
  { given, named, ids }: { given: string[]; named: string[]; ids: string[] },
): RawBuilder<unknown> | null {
  if (given.length + named.length + ids.length === 0) return null;
  return sql`
    select e.environment, e.path, (
      select count(*)::integer from port_allocations a
      where a.released_at is null and a.project = ${project} and a.environment = e.environment) as held
    from (
      select n.environment, (
        select p.path from environment_paths p where p.project = ${project} and p.environment = n.environment) as path
      from (
        select unnest(${textArray([...given, ...named])}::text[]) as environment
        union
        select a.environment from port_allocations a
        where a.id = any(${textArray(ids)}::uuid[]) and a.project = ${project} and a.released_at is null
      ) n offset 0
    ) e
    where e.path is not null or e.environment = any(${textArray(given)}::text[])`;
}

/** The statements that write the changes. */
export function writePaths(project: string, changed: ReadonlyMap<string, string | null>): RawBuilder<unknown>[] {
  const gone = [...changed].filter(([, path]) => path === null).map(([environment]) => environment);
  const set = [...changed].filter(([, path]) => path !== null).map(([environment, path]) => ({ environment, path }));
  return [
    ...(gone.length > 0
      ? [
          sql`delete from environment_paths where project = ${project} and environment = any(${textArray(gone)}::text[])`,
        ]
      : []),
    ...(set.length > 0
      ? [
          sql`
            insert into environment_paths (project, environment, path)
            select ${project}, environment, path
            from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as e (environment text, path text)
            on conflict (project, environment) do update set path = excluded.path`,
        ]
      : []),
  ];
}
