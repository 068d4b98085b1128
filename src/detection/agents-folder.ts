import { dirname, resolve } from 'node:path';
import { shorten } from '../input/shorten.js';
import { makeVisible } from '../input/visible.js';
import { detect, type Question } from './detect.js';
import { FolderProblem } from './folder-problem.js';

/** What the folder of an agent belongs to, as a bridge tells the service. */
export interface AgentsFolder {
  project: string;
  environment: string;
  /** Of the environment; null where its name was given, so that it may be used from any folder. */
  path: string | null;
  /** Those of its ports.yaml; null if there is none. */
  services: string[] | null;
}

/** What a bridge tells of the folder that an agent names: why it cannot be used counts only for a call that needs it. */
export type ToldFolder = AgentsFolder | { problem: string };

const MAX_PATH_LENGTH = 4096;
/** An agent reads all that it is told in its context, and corrects a few faults at a time. */
const MAX_TOLD_FAULTS = 5;
/** A path, or what a file says, may be much longer than what an agent needs to read of it. */
const MAX_MESSAGE_LENGTH = 1000;
/** Git answers in 4 ms. A repository can make it wait forever, and other agents wait meanwhile. */
const GIT_TIMEOUT_MS = 2500;
/** What the system shows as files. Programs have their working folders there, that of the service among them. */
const OF_THE_SYSTEM = /^\/(proc|sys|dev(?!\/shm\/))(\/|$)/;

/**
 * Works out the project and the environment of an agent's folder, by the same rules as the command.
 * @throws FolderProblem for a folder of which nothing can be said, for one whose path cannot be on record, and for those
 * that are no project's. `/` is none: clients run in it that have no folder, and nobody would know the project again
 * that were made of it
 */
export async function detectAgentsFolder(question: Question): Promise<AgentsFolder> {
  requireProjectsFolder(resolve(question.folder));
  const bounds = { maxManifestFaults: MAX_TOLD_FAULTS, gitTimeoutMs: GIT_TIMEOUT_MS };
  const { project, environment, path, isEnvironmentGiven, manifest } = await detectOrTell({ ...bounds, ...question });
  requireProjectsFolder(path);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (path.length > MAX_PATH_LENGTH || /[\u0000-\u001f\u007f-\u009f]/.test(path)) {
    const found = `has control characters, or more than ${MAX_PATH_LENGTH} characters`;
    throw new FolderProblem(`The path ${JSON.stringify(path)} ${found}.`, 'Rename the folder');
  }
  const isNamed = question.project != null || manifest?.project != null;
  if (!isNamed && path === dirname(path)) throw new FolderProblem(`${path} is no project's folder.`, 'Name yours');
  const services = manifest?.services.map(({ service }) => service) ?? null;
  return { project, environment, path: isEnvironmentGiven ? null : path, services };
}

/** The system refuses what is removed while it is read, and what a network drive loses: a FolderProblem too. */
async function detectOrTell(question: Question) {
  try {
    return await detect(question);
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new FolderProblem(`${question.folder} cannot be read: ${error.message}.`, 'Call again');
  }
}

function requireProjectsFolder(path: string): void {
  if (OF_THE_SYSTEM.test(path)) throw new FolderProblem(`${path} is no project's folder.`, 'Name yours');
}

/** What an agent is told of a folder that cannot be used, in one line: what is wrong, and what to do about it. */
export const tellAgent = ({ message, remedy }: FolderProblem): string =>
  `${shorten(makeVisible(message.replaceAll('\n', ' ')), MAX_MESSAGE_LENGTH)} ${remedy}, or name project and environment instead of cwd.`;
