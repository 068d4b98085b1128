import { withHash } from '../input/slug.js';

/** An environment as its folder or its caller names it. */
export interface Environment {
  project: string;
  environment: string;
  /** The folder that it belongs to; null if the caller named the environment, which then may be used from any folder. */
  path: string | null;
}

/** How to read which folders the environments of a project are on record for. */
export interface Records {
  /** The names of those that are on record for a folder. */
  listIn(project: string, path: string): Promise<string[]>;
  /** The folder that one is on record for; null if there is none. */
  findFolder(project: string, environment: string): Promise<string | null>;
}

/**
 * The name of an environment whose own name is on record for another folder, as in a second clone. It is the same each
 * time, because it is made of the folder's path.
 */
export const environmentElsewhere = (environment: string, path: string): string => withHash(environment, path);

/**
 * Makes a call that gets ports in an environment. A second clone has the same environment by name, which is on record
 * for the first one's folder. It gets a name of its own, made of its path, and keeps it as long as it holds a port, also
 * after the first clone is gone. Therefore what is on record for this folder counts first.
 * @param call is given the name and the folder. It is called a second time if it is refused as `isElsewhere` tells
 */
export async function inEnvironment<Answer>(
  wanted: Environment,
  records: Records,
  isElsewhere: (error: unknown) => boolean,
  call: (environment: string, path: string | null) => Promise<Answer>,
): Promise<Answer> {
  const { environment, path } = wanted;
  const recorded = path === null ? environment : await findRecorded(wanted, path, records);
  try {
    return await call(recorded ?? environment, path);
  } catch (error) {
    if (recorded !== null || path === null || !isElsewhere(error)) throw error;
    return await call(environmentElsewhere(environment, path), path);
  }
}

/**
 * Finds the name of an environment for a call that gets no port. It never is that of another folder, whose ports could
 * be released by it.
 */
export async function findEnvironment(wanted: Environment, records: Records): Promise<string> {
  const { project, environment, path } = wanted;
  if (path === null) return environment;
  const recorded = await findRecorded(wanted, path, records);
  if (recorded !== null) return recorded;
  const folder = await records.findFolder(project, environment);
  return folder === null || folder === path ? environment : environmentElsewhere(environment, path);
}

/** @returns the environment that is on record for a folder, under its own name or the one made of its path */
async function findRecorded({ project, environment }: Environment, path: string, records: Records) {
  const names = await records.listIn(project, path);
  return [environment, environmentElsewhere(environment, path)].find((name) => names.includes(name)) ?? null;
}
