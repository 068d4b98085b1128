import { type Detected, detect, type Named } from '../detection/detect.js';
import { FolderProblem } from '../detection/folder-problem.js';
import { NAME_PATTERN } from '../input/slug.js';
import { ClientFailure } from './failure.js';
import type { Settings } from './settings.js';

export interface ClientQuestion {
  /** As the options of the command name them. */
  project?: string | undefined;
  environment?: string | undefined;
  settings: Pick<Settings, 'project' | 'environment'>;
  folder: string;
  /** For the command that writes one. */
  isManifestIgnored?: boolean;
}

/**
 * Works out the project and the environment of a folder, as far as neither options nor variables name them.
 * @throws ClientFailure usage: for a name that is given and is none, and for a folder of which that cannot be said
 */
export async function detectHere({ settings, ...question }: ClientQuestion): Promise<Detected> {
  const project = await readNamed('project', question.project, settings.project);
  const environment = await readNamed('environment', question.environment, settings.environment);
  try {
    return await detect({ ...question, project, environment });
  } catch (error) {
    if (!(error instanceof FolderProblem)) throw error;
    const { message, remedy, isAvoidable } = error;
    const nextStep = `${remedy}${isAvoidable ? ', or name --project and --environment' : ''}.`;
    throw new ClientFailure('usage', message, nextStep);
  }
}

/** @param option as it was given on the command line; it goes before the variable */
export async function readNamed(
  what: 'project' | 'environment',
  option: string | undefined,
  variable: string | null,
): Promise<Named | null> {
  const given = option ?? variable;
  if (given === null) return null;
  const source = option === undefined ? `PORT_ALLOCATOR_${what.toUpperCase()}` : `--${what}`;
  if (new RegExp(NAME_PATTERN).test(given)) return { name: given, reason: `named by ${source}` };
  // Loaded only here, because what findings.js imports takes 30 ms.
  const { refuseName } = await import('../input/findings.js');
  const { detail } = refuseName(given);
  throw new ClientFailure('usage', `${source} ${detail}`, '');
}
