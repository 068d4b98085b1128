/**
 * What is on record of an environment besides its ports
 * =====================================================
 *
 * A caller may give a path with the services of an environment: the folder of this copy of the stack. The first path
 * that is given while the environment holds a port is on record until the environment holds none any more, on any host
 * and protocol. Meanwhile another path is refused, so that two clones of a repository, which would give their
 * environment the same name, do not share ports.
 *
 * A caller may also say that the environment expires when nobody has used it for some time (`Expiry`). Without that it
 * never does. When it was used last, and so when it expires, is computed in migrations/0015_environment_records.sql.
 *
 * Whoever changes an environment's ports, its path or its expiry has locked the project's ranges. So whoever releases
 * the last port also removes the record (`release_port()` too), and none is left of environments that are gone. One
 * command of a batch may release the last port, and the next take another. The decisions therefore count how many ports
 * the environment holds after each command.
 */
import { type RawBuilder, sql } from 'kysely';
import type { Actor } from '../access/actor.js';
import { textArray } from '../database/statements.js';
import * as refusals from '../refusals.js';

/** After how long without use an environment expires, and what is done then. */
export interface Expiry {
  expiresAfterSeconds: number;
  /** `release` also releases it, if nobody listens on its ports. */
  onExpiry: 'tell' | 'release';
}

/** What look.ts reads of an environment that has a record, or that a command puts. */
export interface EnvironmentFacts {
  environment: string;
  is_on_record: boolean;
  path: string | null;
  expires_after_seconds: number | null;
  on_expiry: Expiry['onExpiry'] | null;
  /** Null if it never expires. */
  expires_at: Date | null;
  /** Whether environment.due was written since it was last used. */
  is_told: boolean;
  /** How many ports it holds, on all hosts and protocols. */
  held: number;
}

/** What has to be written of an environment. */
export interface EnvironmentRecord {
  path: string | null;
  expiry: Expiry | null;
}

/** A whole environment that a command released, on one host and protocol or on all (null). */
export interface ReleasedEnvironment {
  environment: string;
  host: string | null;
  protocol: string | null;
  ports: number;
}

/** Takes what has to be written of records. */
interface RecordWrites {
  changeEnvironment(environment: string, record: EnvironmentRecord | null): void;
  useEnvironment(environment: string, record: EnvironmentRecord): void;
}

interface Known extends EnvironmentRecord {
  isOnRecord: boolean;
  held: number;
  expiresAt: Date | null;
  isTold: boolean;
}

/** The records of a project's environments, as its commands change them one after another. */
export class Environments {
  readonly #environments: Map<string, Known>;

  constructor(
    private readonly project: string,
    private readonly now: Date,
    facts: readonly EnvironmentFacts[],
    private readonly writes: RecordWrites,
  ) {
    this.#environments = new Map(facts.map((known) => [known.environment, toKnown(known)]));
  }

  /** @throws AppError environment-elsewhere if another path is on record */
  requireHere(environment: string, path: string): void {
    const known = this.#find(environment).path;
    if (known !== null && known !== path) throw refusals.environmentElsewhere(this.project, environment, known);
  }

  /**
   * Sets what is given of an environment that holds a port, and counts as a use of it.
   * @param given with null for `expiry`, it never expires any more
   */
  put(environment: string, given: { path?: string | undefined; expiry?: Expiry | null | undefined }): void {
    const known = this.#find(environment);
    const { path = known.path, expiry = known.expiry } = given;
    if (path === known.path && expiry === null && known.expiry === null) return;
    const record = { path, expiry };
    if (path === known.path && isSameExpiry(expiry, known.expiry)) this.writes.useEnvironment(environment, record);
    else this.writes.changeEnvironment(environment, record);
    Object.assign(known, record, { isOnRecord: true });
    this.#use(known);
  }

  /** When the environment expires, if nobody uses it. */
  expiryOf(environment: string): (Expiry & { at: Date }) | null {
    const { expiry, expiresAt } = this.#find(environment);
    return expiry && expiresAt && { ...expiry, at: expiresAt };
  }

  /** Whether the environment has expired, was told of before, and is to be released. */
  isReleasable(environment: string): boolean {
    const known = this.#environments.get(environment);
    if (!known || known.held === 0 || known.expiry?.onExpiry !== 'release' || !known.expiresAt) return false;
    return known.isTold && known.expiresAt <= this.now;
  }

  addPort(environment: string): void {
    const known = this.#environments.get(environment);
    if (!known) return;
    known.held += 1;
    this.#use(known);
  }

  removePort(environment: string): void {
    const known = this.#environments.get(environment);
    if (!known) return;
    known.held -= 1;
    if (known.held > 0 || !known.isOnRecord) return;
    Object.assign(known, { path: null, expiry: null, expiresAt: null, isOnRecord: false });
    this.writes.changeEnvironment(environment, null);
  }

  #use(known: Known): void {
    known.isTold = false;
    known.expiresAt = known.expiry && new Date(this.now.getTime() + known.expiry.expiresAfterSeconds * 1000);
  }

  #find(environment: string): Known {
    const known = this.#environments.get(environment);
    if (!known) throw new Error(`No command needed the record of the environment ${environment}, so it was not read`);
    return known;
  }
}

const isSameExpiry = (one: Expiry | null, other: Expiry | null): boolean =>
  one?.expiresAfterSeconds === other?.expiresAfterSeconds && one?.onExpiry === other?.onExpiry;

function toKnown(facts: EnvironmentFacts): Known {
  const { held, path, expires_after_seconds: expiresAfterSeconds, on_expiry: onExpiry, expires_at, is_told } = facts;
  const isOnRecord = facts.is_on_record;
  if (held === 0) return { isOnRecord, held, path: null, expiry: null, expiresAt: null, isTold: false };
  const expiry = expiresAfterSeconds === null || onExpiry === null ? null : { expiresAfterSeconds, onExpiry };
  return { isOnRecord, held, path, expiry, expiresAt: expires_at, isTold: is_told };
}

/**
 * The query for the environments that commands put, and for those that have a record and that commands may leave without
 * a port: environments that they name, and those of allocations. For the usual release that is one step into the primary
 * key, which finds nothing. Null if there are none.
 *
 * The project is a column of what is looked up, so that PostgreSQL does not know its name when it plans. If it does, and
 * most rows of the table are released ones of this project, it expects to find thousands of active ones as well, and
 * reads what all projects hold.
 */
export function environmentsOf(
  project: string,
  { put, named, ids }: { put: string[]; named: string[]; ids: string[] },
): RawBuilder<unknown> | null {
  if (put.length + named.length + ids.length === 0) return null;
  return sql`
    select n.environment, coalesce(e.is_known, false) as is_on_record, e.path, e.expires_after_seconds, e.on_expiry,
      e.expires_at, coalesce(e.is_told, false) as is_told, (
      select count(*)::integer from port_allocations a
      where a.released_at is null and a.project = n.project and a.environment = n.environment) as held
    from (
      select ${project}::text as project, unnest(${textArray([...put, ...named])}::text[]) as environment
      union
      select a.project, a.environment from port_allocations a
      where a.id = any(${textArray(ids)}::uuid[]) and a.project = ${project} and a.released_at is null
    ) n
    left join lateral (
      select true as is_known, r.path, r.expires_after_seconds, r.on_expiry, environment_expires_at(r) as expires_at,
             r.told_at is not null and r.told_at > environment_used_at(r) as is_told
      from environments r where r.project = n.project and r.environment = n.environment offset 0
    ) e on true
    where e.is_known or n.environment = any(${textArray(put)}::text[])`;
}

/** The statements that write the changes. */
export function writeEnvironments(
  project: string,
  changed: ReadonlyMap<string, EnvironmentRecord | null>,
  now: Date,
): RawBuilder<unknown>[] {
  const gone = [...changed].filter(([, record]) => record === null).map(([environment]) => environment);
  const set = [...changed].flatMap(([environment, record]) =>
    record === null ? [] : [{ environment, path: record.path, ...record.expiry }],
  );
  return [
    ...(gone.length > 0
      ? [sql`delete from environments where project = ${project} and environment = any(${textArray(gone)}::text[])`]
      : []),
    ...(set.length > 0
      ? [
          sql`
            insert into environments as e (project, environment, path, expires_after_seconds, on_expiry, used_at)
            select ${project}, environment, path, "expiresAfterSeconds", "onExpiry", case when "onExpiry" is not null then ${now}::timestamptz end
            from jsonb_to_recordset(${JSON.stringify(set)}::jsonb)
              as r (environment text, path text, "expiresAfterSeconds" integer, "onExpiry" text)
            on conflict (project, environment) do update
            set path = excluded.path, expires_after_seconds = excluded.expires_after_seconds,
                on_expiry = excluded.on_expiry, used_at = excluded.used_at,
                told_at = case when excluded.used_at is not null then e.told_at end`,
        ]
      : []),
  ];
}

/** The statement that writes the event environment.released for each. */
export function tellReleased(
  project: string,
  released: readonly (ReleasedEnvironment & { actor: Actor })[],
): RawBuilder<unknown>[] {
  if (released.length === 0) return [];
  const events = released.map(({ actor, ...environment }) => ({
    actor,
    subject: `projects/${project}/environments/${environment.environment}`,
    data: { environment: { project, ...environment } },
  }));
  return [
    sql`
      select record_event('environment.released', ${project}, subject, actor, data)
      from jsonb_to_recordset(${JSON.stringify(events)}::jsonb) as e (subject text, actor jsonb, data jsonb)`,
  ];
}
