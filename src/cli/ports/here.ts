import { type Detected, detect } from '../../client/detect.js';
import type { Context } from '../context.js';

/** The project and environment of the current folder, as far as the options and variables do not name them. */
export async function findHere({
  options,
  settings,
  output,
}: Pick<Context, 'options' | 'settings' | 'output'>): Promise<Detected> {
  const { project, environment } = options;
  const here = await detect({ project, environment, settings, folder: process.cwd() });
  output.detail(`Project ${here.project}, ${here.reasons.project}.`);
  output.detail(`Environment ${here.environment}, ${here.reasons.environment}.`);
  return here;
}
