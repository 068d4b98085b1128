import { type Detected, environmentElsewhere } from '../detection/detect.js';
import type { Connection } from './connection.js';
import { ClientFailure } from './failure.js';

/** What of an environment's summary is read here. */
interface EnvironmentRecord {
  environment: string;
  path: string | null;
}

type Here = Pick<Detected, 'project' | 'environment' | 'path' | 'isEnvironmentGiven'>;

/**
 * Makes a call that gets ports in the environment of a folder. A second clone has the same environment by name, which is
 * on record for the first one's folder. It gets a name of its own, made of its path, and keeps it as long as it holds a
 * port, also after the first clone is gone. Therefore what is on record for this folder counts first.
 * @param call is given the name of the environment, and its folder unless the caller named the environment. It is called
 * a second time if the service refuses the first name as another folder's
 */
export async function inEnvironment<Answer>(
  connection: Pick<Connection, 'send'>,
  here: Here,
  call: (environment: string, path: string | null) => Promise<Answer>,
): Promise<Answer> {
  const { environment, path, isEnvironmentGiven } = here;
  if (isEnvironmentGiven) return await call(environment, null);
  const recorded = await findRecorded(connection, here);
  try {
    return await call(recorded ?? environment, path);
  } catch (error) {
    if (recorded !== null || !isRefusedAs(error, 'environment-elsewhere')) throw error;
    return await call(environmentElsewhere(environment, path), path);
  }
}

/**
 * Finds the name of a folder's environment, for a call that gets no ports. It never is that of another folder, whose
 * ports could be released by it.
 */
export async function findEnvironment(connection: Pick<Connection, 'send'>, here: Here): Promise<string> {
  const { project, environment, path, isEnvironmentGiven } = here;
  if (isEnvironmentGiven) return environment;
  const recorded = await findRecorded(connection, here);
  if (recorded !== null) return recorded;
  for await (const record of readRecords(connection, { project })) {
    const isElsewhere = record.environment === environment && record.path !== null && record.path !== path;
    if (isElsewhere) return environmentElsewhere(environment, path);
  }
  return environment;
}

/** @returns the environment that is on record for the folder, under its own name or the one made of its path */
async function findRecorded(connection: Pick<Connection, 'send'>, here: Here): Promise<string | null> {
  const { project, environment, path } = here;
  const names: string[] = [];
  for await (const record of readRecords(connection, { project, path })) names.push(record.environment);
  if (names.includes(environment)) return environment;
  const elsewhere = environmentElsewhere(environment, path);
  return names.includes(elsewhere) ? elsewhere : null;
}

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
