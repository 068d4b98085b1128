import { readFileSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { NAME_PATTERN, toSlug, withHash } from '../input/slug.js';
import { ClientFailure } from './failure.js';
import { nameOfUrl, type Repository, readRemote, readRepository, type UnreadableRepository } from './git.js';
import { findManifest, type Manifest } from './manifest/find.js';
import type { Settings } from './settings.js';

/** Which project and environment a folder belongs to. */
export interface Detected {
  project: string;
  environment: string;
  /** The environment's folder, with symbolic links resolved: that of the working tree, of the manifest or package. */
  path: string;
  manifest: Manifest | null;
  /** By an option or a variable. Such an environment may be used from any folder, so it is sent without its `path`. */
  isEnvironmentGiven: boolean;
  /** How each was worked out, to follow "project shop, ". */
  reasons: { project: string; environment: string };
}

export interface Question {
  /** As the options of the command name them. */
  project?: string | undefined;
  environment?: string | undefined;
  settings: Pick<Settings, 'project' | 'environment'>;
  folder: string;
  /** For the command that writes one. */
  isManifestIgnored?: boolean;
}

interface Named {
  name: string;
  reason: string;
}

/**
 * Works out the project and the environment of a folder: what the caller names, or else the manifest, git, the nearest
 * package.json and at last the folder say. docs/manifest.md has the rules.
 * @throws ClientFailure usage: for a name that is given and is none, for a manifest with an error, and for a repository
 * that git refuses to read, because the folder alone would give other names than git
 */
export async function detect({
  project,
  environment,
  settings,
  folder,
  isManifestIgnored,
}: Question): Promise<Detected> {
  const current = realpathSync.native(folder);
  const givenProject = await readGiven('project', project, settings.project);
  const givenEnvironment = await readGiven('environment', environment, settings.environment);
  const repository = readRepository(current);
  const topLevel = repository?.kind === 'repository' ? repository.topLevel : null;
  const manifest = isManifestIgnored ? null : await findManifest(current, topLevel);
  const packageFolder = topLevel === null && manifest === null ? findPackage(current) : null;
  const path = topLevel ?? manifest?.folder ?? packageFolder?.folder ?? current;
  const namedProject =
    givenProject ??
    nameByManifest(manifest) ??
    nameByRepository(requireReadable(repository, 'project'), current) ??
    packageFolder?.named ??
    nameByFolder(path);
  const namedEnvironment = givenEnvironment ?? nameEnvironment(requireReadable(repository, 'environment'));
  return {
    project: namedProject.name,
    environment: namedEnvironment.name,
    path,
    manifest,
    isEnvironmentGiven: givenEnvironment !== null,
    reasons: { project: namedProject.reason, environment: namedEnvironment.reason },
  };
}

/**
 * The name of an environment whose own name is on record for another folder, as in a second clone. It is the same each
 * time, because it is made of the folder's path.
 */
export const environmentElsewhere = (environment: string, path: string): string => withHash(environment, path);

/** @param option as it was given on the command line; it goes before the variable */
async function readGiven(
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

function nameByManifest(manifest: Manifest | null): Named | null {
  if (manifest === null || manifest.project === null) return null;
  return { name: manifest.project, reason: `named by ${manifest.file}` };
}

function nameByRepository(repository: Repository | null, folder: string): Named | null {
  if (repository === null) return null;
  const remote = readRemote(folder);
  const ofRemote = remote && nameOfUrl(remote.url);
  if (remote && ofRemote) {
    return { name: toSlug(ofRemote), reason: `from the URL of the repository's remote ${remote.remote}` };
  }
  const isMain = repository.topLevel !== null && !repository.isLinked;
  const folderKind = isMain ? 'working tree' : 'repository';
  const reason = `from the name of the ${folderKind}'s folder, because there is no remote that names it`;
  return { name: toSlug(repository.mainName), reason };
}

function nameByFolder(folder: string): Named {
  return { name: toSlug(basename(folder)), reason: `from the name of the folder ${folder}` };
}

function nameEnvironment(repository: Repository | null): Named {
  if (repository?.isLinked && repository.topLevel !== null) {
    return { name: toSlug(basename(repository.topLevel)), reason: 'from the folder of the linked working tree' };
  }
  const where = repository === null ? 'outside of a git repository' : 'in the main working tree';
  return { name: 'default', reason: `as always ${where}` };
}

function requireReadable(repository: Repository | UnreadableRepository | null, what: string): Repository | null {
  if (repository?.kind !== 'unreadable') return repository;
  const remedy = repository.remedy === null ? 'Repair the repository' : `Run ${repository.remedy}`;
  throw new ClientFailure(
    'usage',
    `The ${what} cannot be worked out, because git does not read this repository: ${repository.why}.`,
    `${remedy}, or name --project and --environment.`,
  );
}

/**
 * Finds the nearest package.json at or above a folder. The home folder and those above it are left out unless they are
 * where the search begins: a package.json that lies there by accident would make one project of everything below it.
 */
function findPackage(start: string): { folder: string; named: Named } | null {
  const home = homedir();
  for (let folder = start; ; folder = dirname(folder)) {
    if (folder === home && folder !== start) return null;
    const named = readPackage(folder);
    if (named !== null) return { folder, named };
    if (folder === dirname(folder)) return null;
  }
}

/** The name of a package without its scope: people say `shop` of `@acme/shop`. */
function readPackage(folder: string): Named | null {
  const file = join(folder, 'package.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  const name = readName(text)?.replace(/^@[^/]*\//, '');
  return name ? { name: toSlug(name), reason: `from the name in ${file}` } : nameByFolder(folder);
}

/** @returns null for a package.json without a name, and for one that is not valid JSON */
function readName(text: string): string | null {
  try {
    const { name } = JSON.parse(text.replace(/^\ufeff/, ''));
    return typeof name === 'string' ? name : null;
  } catch {
    return null;
  }
}
