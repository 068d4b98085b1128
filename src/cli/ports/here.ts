import type { Connection } from '../../client/connection.js';
import { detectHere } from '../../client/detect.js';
import { findEnvironment } from '../../client/environment.js';
import { ClientFailure } from '../../client/failure.js';
import type { Detected } from '../../detection/detect.js';
import type { Context } from '../context.js';

/** @throws ClientFailure usage in a folder that was removed while a shell was in it, such as a worktree */
export function currentFolder(): string {
  try {
    return process.cwd();
  } catch {
    throw new ClientFailure('usage', 'The current folder is not there any more.', 'Change to another folder.');
  }
}

/** The project and environment of the current folder, as far as the options and variables do not name them. */
export async function findHere({
  options,
  settings,
  output,
}: Pick<Context, 'options' | 'settings' | 'output'>): Promise<Detected> {
  const { project, environment } = options;
  const here = await detectHere({ project, environment, settings, folder: currentFolder() });
  output.detail(`Project ${here.project}, ${here.reasons.project}.`);
  output.detail(`Environment ${here.environment}, ${here.reasons.environment}.`);
  return here;
}

/** What a command is about that tells of this folder, and with `--all` of everything. */
export interface Filters {
  project?: string;
  environment?: string;
}

/** A project that is named is meant as a whole: the environment that was worked out is that of another one. */
export async function chooseFilters(context: Context, isAll: boolean): Promise<Filters> {
  const { project, environment } = context.options;
  if (isAll) return { ...(project && { project }), ...(environment && { environment }) };
  const here = await findHere(context);
  return project !== undefined && !here.isEnvironmentGiven
    ? { project: here.project }
    : { project: here.project, environment: await findEnvironment(context.connection, here) };
}

/**
 * A second clone has an environment of its own, and only a service knows of the first one. A running one is asked, so
 * that what is told of this folder is never that of another.
 */
export async function findOnRecord(connection: Pick<Connection, 'send'>, here: Detected): Promise<Detected> {
  const environment = await findEnvironment(connection, here);
  if (environment === here.environment) return here;
  const reason = `because ${here.environment} is on record for another folder`;
  return { ...here, environment, reasons: { ...here.reasons, environment: reason } };
}
