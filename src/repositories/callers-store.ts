import type { KyselyPlugin } from 'kysely';
import type { Caller } from '../caller.js';
import { AppError } from '../errors.js';
import * as refusals from '../refusals.js';
import { Access, type Intent } from './access.js';
import type { SharedStore, Store } from './store.js';

/**
 * The one way from a request to the registry, for REST and MCP alike: the store as far as a caller may use it. What
 * is another project's is not there when it is looked up, and refused when it is named or changed. An operation
 * that forgets to ask still gets no row of another project (`Guard`), and nothing to write with.
 * @throws AppError unauthorized, forbidden
 */
export function openFor(shared: SharedStore, caller: Caller, intent: Intent): Store {
  const access = new Access(caller, intent);
  const visible = <Row extends { project: string }>(row: Row | null) => (row && access.sees(row.project) ? row : null);
  return {
    access,
    observer: shared.observer,
    db: access.projects === null ? shared.db : shared.db.withPlugin(new Guard(access)),
    async execute(project, command, isAbandoned) {
      access.demandChange({ project });
      return shared.execute(project, command, isAbandoned).catch((error) => redact(error, access));
    },
    async change(subject, work, turn) {
      access.demandChange(subject);
      return shared.change(subject, work, turn);
    },
    async findLowestRow(key) {
      access.demandProject(key.project);
      return shared.findLowestRow(key);
    },
    findRow: (id) => shared.findRow(id).then(visible),
    findProject: (id) => shared.findProject(id).then((project) => (project && access.sees(project) ? project : null)),
  };
}

/** Who stands in the way is told by the name of the project alone, where the caller sees no more of it. */
function redact(error: unknown, access: Access): never {
  const holder = error instanceof AppError ? error.extras.holder : undefined;
  if (holder && !access.sees(holder.project)) throw refusals.keptForOther(holder);
  throw error;
}

/** The last line: no row of a project that the caller does not see leaves the database. Ranges everybody may read. */
class Guard implements KyselyPlugin {
  constructor(private readonly access: Access) {}

  transformQuery({ node }: Parameters<KyselyPlugin['transformQuery']>[0]) {
    return node;
  }

  async transformResult({ result }: Parameters<KyselyPlugin['transformResult']>[0]) {
    for (const row of result.rows) {
      if (typeof row.project !== 'string' || 'start_port' in row || this.access.sees(row.project)) continue;
      throw new Error(`A query forgot that its caller does not see the project ${row.project}`);
    }
    return result;
  }
}
