import { access, constants, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { toSlug } from '../input/slug.js';
import { makeVisible } from '../input/visible.js';
import { FolderProblem, noFolder } from './folder-problem.js';
import {
  nameOfUrl,
  type Remote,
  type Repository,
  readRemote,
  readRepository,
  type UnreadableRepository,
} from './git.js';
import { findManifest, type Manifest } from './manifest/find.js';
import { findWithin, readSmallFile } from './small-file.js';

/** A larger package.json is not read for its name. */
const MAX_PACKAGE_BYTES = 1024 * 1024;

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

/** A name of a project or an environment, and where it comes from, such as `named by --project`. */
export interface Named {
  name: string;
  reason: string;
}

export interface Question {
  /** An absolute path. */
  folder: string;
  /** What the caller names counts before all else. It has the form of a name. */
  project?: Named | null;
  environment?: Named | null;
  /** For the command that writes one. */
  isManifestIgnored?: boolean;
  /** For a process that has more to do than to read a manifest. */
  maxManifestBytes?: number;
  /** For a reader who pays for each word. Without it all faults of a manifest are told. */
  maxManifestFaults?: number;
  /** For a process that others wait for, too. */
  gitTimeoutMs?: number;
}

/**
 * Works out the project and the environment of a folder: what the caller names, or else the manifest, git, the nearest
 * package.json and at last the folder say. docs/manifest.md has the rules.
 * @throws FolderProblem for a folder that cannot be read, for a manifest with an error, and for a repository that git
 * refuses to read, because the folder alone would give other names than git
 */
export async function detect({ folder, project, environment, ...reading }: Question): Promise<Detected> {
  const current = await resolveFolder(folder);
  const bounds = { maxBytes: reading.maxManifestBytes, maxFaults: reading.maxManifestFaults };
  const asked = readRepository(current, reading.gitTimeoutMs);
  // Git takes longer than looking for the files.
  const [repository, manifest] = await Promise.all([
    asked,
    reading.isManifestIgnored ? null : findManifest(current, async () => topLevelOf(await asked), bounds),
  ]);
  const topLevel = topLevelOf(repository);
  const packageFolder = topLevel === null && manifest === null ? await findPackage(current) : null;
  const path = topLevel ?? manifest?.folder ?? packageFolder?.folder ?? current;
  const namedProject =
    project ??
    nameByManifest(manifest) ??
    (await nameByRepository(requireReadable(repository, 'project'), () => readRemote(current, reading.gitTimeoutMs))) ??
    packageFolder?.named ??
    nameByFolder(path);
  const namedEnvironment = environment ?? nameEnvironment(requireReadable(repository, 'environment'));
  return {
    project: namedProject.name,
    environment: namedEnvironment.name,
    path,
    manifest,
    isEnvironmentGiven: environment != null,
    reasons: { project: namedProject.reason, environment: namedEnvironment.reason },
  };
}

const topLevelOf = (repository: Repository | UnreadableRepository | null): string | null =>
  repository?.kind === 'repository' ? repository.topLevel : null;

/** @returns the folder with symbolic links resolved */
async function resolveFolder(folder: string): Promise<string> {
  if (!isAbsolute(folder))
    throw new FolderProblem(`${folder} is no absolute path.`, 'Name the folder from the root on');
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const isOpen = await access(folder, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!isFolder || !isOpen) throw noFolder(folder);
  // It fails for a folder that was removed a moment ago, and for one whose path without links is too long to be used.
  const path = await realpath(folder, 'buffer').catch(() => {
    throw noFolder(folder);
  });
  const text = path.toString();
  if (Buffer.from(text).equals(path)) return text;
  throw new FolderProblem(`The path ${makeVisible(text)} is not valid UTF-8.`, 'Rename the folder');
}

function nameByManifest(manifest: Manifest | null): Named | null {
  if (manifest === null || manifest.project === null) return null;
  return { name: manifest.project, reason: `named by ${manifest.file}` };
}

/** @param findRemote is called only in a repository, because git takes 3 ms for it */
async function nameByRepository(
  repository: Repository | null,
  findRemote: () => Promise<Remote | null>,
): Promise<Named | null> {
  if (repository === null) return null;
  const remote = await findRemote();
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
  throw new FolderProblem(
    `The ${what} cannot be worked out, because git does not read this repository: ${repository.why}.`,
    repository.remedy === null ? 'Repair the repository' : `Run ${repository.remedy}`,
    true,
  );
}

/**
 * Finds the nearest package.json at or above a folder. The home folder and those above it are left out unless they are
 * where the search begins: a package.json that lies there by accident would make one project of everything below it.
 */
async function findPackage(start: string): Promise<{ folder: string; named: Named } | null> {
  const home = homedir();
  for (let folder = start; ; folder = dirname(folder)) {
    if (folder === home && folder !== start) return null;
    const named = await readPackage(folder);
    if (named !== null) return { folder, named };
    if (folder === dirname(folder)) return null;
  }
}

/**
 * The name of a package without its scope: people say `shop` of `@acme/shop`. A file that is too large, or a link that
 * leaves the folder, is not read for it: then the folder's name counts.
 */
async function readPackage(folder: string): Promise<Named | null> {
  const file = join(folder, 'package.json');
  let text: string;
  try {
    if (!(await stat(file)).isFile()) return null;
    const found = await findWithin(file, folder);
    text = found === null ? '' : ((await readSmallFile(found, MAX_PACKAGE_BYTES)) ?? '');
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
