import { type Static, Type } from '@sinclair/typebox';
import { detect, environmentElsewhere } from '../detection/detect.js';
import { FolderProblem } from '../detection/folder-problem.js';
import { AppError } from '../errors.js';
import { toSlug } from '../input/slug.js';
import type { Session } from '../registry/session.js';
import { findEnvironmentPath, listAllEnvironments } from '../repositories/environments.js';
import { EnvironmentName, FolderPath, ProjectName, ServiceName } from '../schemas/common.js';
import { invalidInput } from './inputs.js';

/** What a folder belongs to. A bridge works it out on the machine of the agent, and sends it beside the call. */
export const Folder = Type.Object(
  {
    project: ProjectName,
    environment: EnvironmentName,
    path: Type.Union([FolderPath, Type.Null()], { description: 'Of the environment; null where its name was given.' }),
    services: Type.Union([Type.Array(ServiceName), Type.Null()], {
      description: 'Of its ports.yaml, if there is one.',
    }),
  },
  { additionalProperties: false },
);
export type Folder = Static<typeof Folder>;

/** The project and the environment that a call is about. */
export interface Place {
  project: string;
  environment: string;
  /** The folder that the environment belongs to, where it was worked out of one. */
  path: string | null;
  isProjectNamed: boolean;
  services: string[] | null;
}

interface Given {
  project?: string | undefined;
  environment?: string | undefined;
  cwd?: string | undefined;
}

/** Reads the folder of a call. Null if none was told; throws if it cannot be read from here. */
export type ReadFolder = (cwd: string | undefined) => Promise<Folder | null>;

/**
 * The place that the input names, and what it leaves open by the folder.
 * @throws AppError validation-failed where that leaves the project open
 */
export async function findPlace(given: Given, readFolder: ReadFolder): Promise<Place> {
  const { project, environment, cwd } = given;
  // The roots of a client count only for what an agent leaves open: a project that it names may be another one.
  const folder = project === undefined || cwd !== undefined ? await readFolder(cwd) : null;
  const named = project ?? folder?.project;
  if (named === undefined) {
    const detail = 'is required, or cwd: the absolute path of the folder that you work in';
    throw invalidInput({ pointer: '/project', detail });
  }
  return {
    project: named,
    environment: environment === undefined ? (folder?.environment ?? 'default') : toSlug(environment),
    path: environment === undefined ? (folder?.path ?? null) : null,
    isProjectNamed: project !== undefined,
    services: folder?.services ?? null,
  };
}

/** @throws AppError validation-failed for a folder of which nothing can be said */
export async function detectFolder(cwd: string): Promise<Folder> {
  try {
    const { project, environment, path, manifest } = await detect({ folder: cwd });
    return { project, environment, path, services: manifest?.services.map(({ service }) => service) ?? null };
  } catch (error) {
    if (!(error instanceof FolderProblem)) throw error;
    const remedy = `${error.remedy}${error.isAvoidable ? ', or name project and environment' : ''}.`;
    throw invalidInput({ pointer: '/cwd', detail: `is no folder to go by: ${error.message} ${remedy}` });
  }
}

/**
 * Makes a call that gets ports in a place. A second clone has the same environment by name, which is on record for the
 * first one's folder. It gets a name of its own, made of its path, and keeps it as long as it holds a port, also after
 * the first clone is gone. Therefore what is on record for this folder counts first.
 */
export async function inPlace<Answer>(
  session: Session,
  place: Place,
  call: (environment: string, path: string | undefined) => Promise<Answer>,
): Promise<{ environment: string; answer: Answer }> {
  const { environment, path } = place;
  const run = async (name: string) => ({ environment: name, answer: await call(name, path ?? undefined) });
  if (path === null) return run(environment);
  const recorded = await findRecorded(session, place, path);
  if (recorded !== null) return run(recorded);
  return run(environment).catch((error) => {
    if (!(error instanceof AppError) || error.code !== 'environment-elsewhere') throw error;
    return run(environmentElsewhere(environment, path));
  });
}

/** The environment that is on record for the folder of a place, or else the one that it would get. Allocates nothing. */
export async function findEnvironment(session: Session, place: Place): Promise<string> {
  const { project, environment, path } = place;
  if (path === null) return environment;
  const recorded = await findRecorded(session, place, path);
  if (recorded !== null) return recorded;
  session.access.requireProject(project);
  const onRecord = await session.readUnfiltered(findEnvironmentPath, project, environment);
  return onRecord === null ? environment : environmentElsewhere(environment, path);
}

async function findRecorded(session: Session, { project, environment }: Place, path: string): Promise<string | null> {
  const { items } = await session.read(listAllEnvironments, { project, path, limit: 1000 });
  const names = items.map((one) => one.environment);
  if (names.includes(environment)) return environment;
  const elsewhere = environmentElsewhere(environment, path);
  return names.includes(elsewhere) ? elsewhere : null;
}
