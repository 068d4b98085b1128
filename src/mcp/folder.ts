import { Type } from '@sinclair/typebox';
import type { AgentsFolder, ToldFolder } from '../detection/agents-folder.js';
import * as rule from '../detection/environment.js';
import { AppError } from '../errors.js';
import { findClosest } from '../input/closest.js';
import { toSlug } from '../input/slug.js';
import type { Session } from '../registry/session.js';
import { findEnvironmentPath, listAllEnvironments } from '../repositories/environments.js';
import { EnvironmentName, FolderPath, ProjectName, ServiceName } from '../schemas/common.js';
import { CLOSED, invalidInput } from './inputs.js';

/** What a folder belongs to. A bridge works it out on the machine of the agent, and sends it beside the call. */
export const FolderHeader = Type.Union([
  Type.Object(
    {
      project: ProjectName,
      environment: EnvironmentName,
      path: Type.Union([FolderPath, Type.Null()], {
        description: 'Of the environment; null where its name was given.',
      }),
      services: Type.Union([Type.Array(ServiceName), Type.Null()], {
        description: 'Of its ports.yaml, if there is one.',
      }),
    },
    CLOSED,
  ),
  Type.Object({ problem: Type.String({ description: 'Why the folder that the agent names cannot be used.' }) }, CLOSED),
]);

/** The project and the environment that a call is about. */
export interface Place {
  project: string;
  environment: string;
  /** The folder that the environment belongs to, where it was worked out of one. */
  path: string | null;
  isProjectNamed: boolean;
  /** Whether the folder is one of another project than the one that was named. */
  isElsewhere: boolean;
  /** Those of the folder's ports.yaml; null if it has none, or is one of another project. */
  services: string[] | null;
}

interface Given {
  project?: string | undefined;
  environment?: string | undefined;
  cwd?: string | undefined;
}

/** Reads the folder of a call. Null if none was told; throws if it cannot be read from here. */
export type ReadFolder = (cwd: string | undefined) => Promise<AgentsFolder | null>;

/**
 * The place that the input names, and what it leaves open by the folder. If it leaves nothing open, the folder is not
 * read: it may be gone, as that of a worktree whose ports are released.
 * @param needs whether the services of its ports.yaml are left open too
 * @throws AppError validation-failed where that leaves the project open
 */
export async function findPlace(given: Given, readFolder: ReadFolder, needs = { services: false }): Promise<Place> {
  const { project, environment, cwd } = given;
  const isOpen = project === undefined || environment === undefined || needs.services;
  const read = isOpen ? await readFolder(cwd) : null;
  // A root of the agent's client says nothing about another project.
  const folder = cwd !== undefined || project === undefined || read?.project === project ? read : null;
  const isElsewhere = project !== undefined && folder !== null && folder.project !== project;
  return {
    project: requireProject(project ?? folder?.project),
    environment: environment === undefined ? (folder?.environment ?? 'default') : toSlug(environment),
    path: environment === undefined ? (folder?.path ?? null) : null,
    isProjectNamed: project !== undefined,
    isElsewhere,
    services: isElsewhere ? null : (folder?.services ?? null),
  };
}

/** So many services of a ports.yaml are told in a refusal. */
const MAX_NAMED = 20;

/**
 * Refuses services that the folder's ports.yaml does not have, as the command does: a port that is got for a misspelt
 * name is one that nobody uses.
 * @param pointer of the field that names them
 * @throws AppError validation-failed
 */
export function requireServices({ services }: Place, names: readonly string[], pointer: string): void {
  if (services === null || services.length === 0) return;
  const unknown = names.find((name) => !services.includes(name));
  if (unknown === undefined) return;
  const [closest] = findClosest(unknown, services, 1);
  const meant = closest === undefined ? '' : ` Did you mean ${closest}?`;
  const named = services.length > MAX_NAMED ? '' : ` (${services.join(', ')})`;
  const detail = `is not one of ports.yaml${named}: ${unknown}.${meant} Name one of those, or add it to the file.`;
  throw invalidInput({ pointer, detail });
}

/** The project that the input names, or else that of the folder. @throws AppError validation-failed */
export async function findProject({ project, cwd }: Given, readFolder: ReadFolder): Promise<string> {
  return requireProject(project ?? (await readFolder(cwd))?.project);
}

function requireProject(project: string | undefined): string {
  if (project !== undefined) return project;
  const detail = 'is required, or cwd: the absolute path of the folder that you work in';
  throw invalidInput({ pointer: '/project', detail });
}

/** @throws AppError validation-failed for a folder of which a bridge says why it cannot be used */
export function requireUsable(folder: ToldFolder): AgentsFolder {
  if ('problem' in folder) throw noFolder(folder.problem);
  return folder;
}

export const noFolder = (problem: string): AppError =>
  invalidInput({ pointer: '/cwd', detail: `is no folder to go by: ${problem}` });

/** Makes a call that gets ports in a place. Answers in which environment, too. */
export function inPlace<Answer>(
  session: Session,
  place: Place,
  call: (environment: string, path: string | undefined) => Promise<Answer>,
): Promise<{ environment: string; answer: Answer }> {
  const isElsewhere = (error: unknown) => error instanceof AppError && error.code === 'environment-elsewhere';
  return rule.inEnvironment(place, recordsOf(session), isElsewhere, async (environment, path) => ({
    environment,
    answer: await call(environment, path ?? undefined),
  }));
}

/** The environment that is on record for the folder of a place, or else the one that it would get. Allocates nothing. */
export const findEnvironment = (session: Session, place: Place): Promise<string> =>
  rule.findEnvironment(place, recordsOf(session));

const recordsOf = (session: Session): rule.Records => ({
  async listIn(project, path) {
    const { items } = await session.read(listAllEnvironments, { project, path, limit: 1000 });
    return items.map(({ environment }) => environment);
  },
  findFolder(project, environment) {
    session.access.requireProject(project);
    return session.readUnfiltered(findEnvironmentPath, project, environment);
  },
});
