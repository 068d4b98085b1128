import type { Detected } from '../detection/detect.js';
import * as rule from '../detection/environment.js';
import type { Connection } from './connection.js';
import { ClientFailure } from './failure.js';

/** What of an environment's summary is read here. */
interface EnvironmentRecord {
  environment: string;
  path: string | null;
}

type Here = Pick<Detected, 'project' | 'environment' | 'path' | 'isEnvironmentGiven'>;

/** Makes a call that gets ports in the environment of a folder. `call` is given its name, and its folder if that counts. */
export function inEnvironment<Answer>(
  connection: Pick<Connection, 'send'>,
  here: Here,
  call: (environment: string, path: string | null) => Promise<Answer>,
): Promise<Answer> {
  const isElsewhere = (error: unknown) => isRefusedAs(error, 'environment-elsewhere');
  return rule.inEnvironment(asGiven(here), recordsOf(connection), isElsewhere, call);
}

/** Finds the name of a folder's environment, for a call that gets no ports. */
export function findEnvironment(connection: Pick<Connection, 'send'>, here: Here): Promise<string> {
  return rule.findEnvironment(asGiven(here), recordsOf(connection));
}

const asGiven = ({ path, isEnvironmentGiven, ...here }: Here): rule.Environment => ({
  ...here,
  path: isEnvironmentGiven ? null : path,
});

const recordsOf = (connection: Pick<Connection, 'send'>): rule.Records => ({
  async listIn(project, path) {
    const names: string[] = [];
    for await (const record of readRecords(connection, { project, path })) names.push(record.environment);
    return names;
  },
  async findFolder(project, environment) {
    for await (const record of readRecords(connection, { project })) {
      if (record.environment === environment) return record.path;
    }
    return null;
  },
});

/** Reads the environments of a project, page after page. There are none of a project that is not known yet. */
async function* readRecords(
  connection: Pick<Connection, 'send'>,
  filters: { project: string; path?: string },
): AsyncGenerator<EnvironmentRecord> {
  let cursor: string | null = null;
  do {
    const query: Record<string, string | null> = { ...filters, cursor };
    const page: { items: EnvironmentRecord[]; nextCursor: string | null } = await connection
      .send<{ items: EnvironmentRecord[]; nextCursor: string | null }>({
        method: 'GET',
        path: '/v1/environments',
        query,
      })
      .catch((error) => {
        if (isRefusedAs(error, 'project-not-found')) return { items: [], nextCursor: null };
        throw error;
      });
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor !== null);
}

const isRefusedAs = (error: unknown, code: string): boolean =>
  error instanceof ClientFailure && error.problem?.code === code;
