import { execFile } from 'node:child_process';
import type { Stats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { basename, dirname, join, parse, resolve } from 'node:path';
import { shorten } from '../input/shorten.js';
import { makeVisible } from '../input/visible.js';
import { noFolder } from './folder-problem.js';
import { isWithin } from './small-file.js';

export interface Repository {
  kind: 'repository';
  /**
   * The folder of the working tree, with symbolic links resolved. Null in a bare repository and within `.git`, and where
   * the setting `core.worktree` moves the working tree away from the folder that has `.git` in it.
   */
  topLevel: string | null;
  /** Whether the working tree was made by `git worktree add`. */
  isLinked: boolean;
  /** The name of the folder of the main working tree, or that of the bare repository. */
  mainName: string;
}

/** There is a repository, and git does not read it: it belongs to another user, for example, or its files are broken. */
export interface UnreadableRepository {
  kind: 'unreadable';
  /** What git says, in one line of which all characters are seen. It may quote the repository's settings. */
  why: string;
  /** The command that makes git read it, if there is one. */
  remedy: string | null;
}

/** Git repeats an unknown option between its answers, so that a folder may have a line break in its name. */
const SEPARATOR = '--next-answer';
/** Git answers in 4 ms. It may take seconds where all disks are busy, and people who wait for a command would rather wait. */
const TIMEOUT_MS = 10_000;

/**
 * By these a hook of git tells the programs that it starts which repository is meant. What counts here is the folder,
 * which may be in another one.
 */
const VARIABLES_OF_A_HOOK = ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_COMMON_DIR', 'GIT_PREFIX', 'GIT_CONFIG'];

/**
 * Asks git about a folder, in one call of 4 ms.
 * @returns null outside of a repository, and if git is not installed
 * @throws FolderProblem if the folder is gone
 */
export async function readRepository(
  folder: string,
  timeoutMs = TIMEOUT_MS,
): Promise<Repository | UnreadableRepository | null> {
  const questions = ['--git-dir', '--git-common-dir', '--show-toplevel'];
  const git = await runGit(folder, ['rev-parse', ...questions.flatMap((question) => [question, SEPARATOR])], timeoutMs);
  if (git === null) return null;
  if (git.isSilent) {
    const why = `git did not answer within ${timeoutMs / 1000} s`;
    return { kind: 'unreadable', why, remedy: null };
  }
  // In a bare repository the last question fails, after the others were answered.
  const [gitFolder, commonFolder, workingTree] = git.stdout.split(`\n${SEPARATOR}\n`);
  if (gitFolder === undefined || commonFolder === undefined) return readRefusal(git.stderr, folder);
  const common = resolve(folder, commonFolder);
  const topLevel = workingTree && (await isFoundIn(folder, resolve(folder, workingTree))) ? workingTree : null;
  const isLinked = resolve(folder, gitFolder) !== common;
  return {
    kind: 'repository',
    topLevel: topLevel ? resolve(folder, topLevel) : null,
    isLinked,
    mainName: topLevel && !isLinked ? basename(topLevel) : nameOfGitFolder(common),
  };
}

/**
 * Whether git finds a repository from a folder by the `.git` in `topLevel`. If it does not, `core.worktree` has named
 * another folder, which may be one of somebody else's: `/`, for example, or the working tree of another project.
 */
async function isFoundIn(folder: string, topLevel: string): Promise<boolean> {
  for (let place = folder; ; place = dirname(place)) {
    const found = await statOrNull(join(place, '.git'));
    // Git passes over a folder `.git` without HEAD in it.
    if (found?.isFile() || (found?.isDirectory() && (await hasHead(join(place, '.git'))))) {
      return place === topLevel || (await isSame(place, topLevel));
    }
    if (place === dirname(place)) return false;
  }
}

const statOrNull = (path: string): Promise<Stats | null> => stat(path).catch(() => null);

/** HEAD may be a symbolic link to a branch that has no commit yet. */
const hasHead = (gitFolder: string): Promise<boolean> =>
  lstat(join(gitFolder, 'HEAD')).then(
    () => true,
    () => false,
  );

/** Paths of one folder may differ in case, for example on macOS. */
async function isSame(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([statOrNull(one), statOrNull(other)]);
  return a !== null && a.ino === b?.ino && a.dev === b.dev;
}

export interface Remote {
  remote: string;
  url: string;
}

/** The URL of the remote `origin`, or else of the only remote. */
export async function readRemote(folder: string, timeoutMs = TIMEOUT_MS): Promise<Remote | null> {
  const git = await runGit(folder, ['config', '-z', '--get-regexp', String.raw`^remote\..*\.url$`], timeoutMs);
  const urls = new Map<string, string>();
  for (const entry of git?.stdout.split('\0') ?? []) {
    const [, remote, url] = /^remote\.(.*)\.url\n(.+)$/s.exec(entry) ?? [];
    if (remote !== undefined && url !== undefined && !urls.has(remote)) urls.set(remote, url);
  }
  const remote = urls.has('origin') ? 'origin' : [...urls.keys()][0];
  if (remote === undefined || (remote !== 'origin' && urls.size > 1)) return null;
  return { remote, url: urls.get(remote) as string };
}

/**
 * The name of the repository that a URL leads to: `shop` of `git@example.com:acme/shop.git`, and of `/srv/shop/.git`.
 * A password or token in the URL is no part of it, also where a `/` in the password makes the URL a wrong one.
 * @returns null if there is none in it
 */
export function nameOfUrl(url: string): string | null {
  const isPath = /^([/\\.~]|[^:@]*$)/.test(url);
  const parts = (isPath ? url : pathOnHost(url))
    .split(/[/\\:]/)
    .filter((part) => !['', '.git', '.bare'].includes(part));
  const name = parts.at(-1)?.replace(/\.git$/, '');
  return !name || /^\.+$/.test(name) ? null : decode(name);
}

/** Empty where nobody can tell what is the path, and what the password. */
function pathOnHost(url: string): string {
  const [address = '', ...query] = url.split(/[?#]/);
  if (query.join().includes('@')) return '';
  const afterScheme = address.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '');
  return afterScheme.slice(afterScheme.lastIndexOf('@') + 1).replace(/^[^/\\:]*(:\d+(?=[/\\]))?/, '');
}

/** `shop` of `shop/.git`, of `shop.git`, and of `shop/.bare`, in which a bare repository lies beside its worktrees. */
function nameOfGitFolder(folder: string): string {
  const name = basename(folder);
  return name.startsWith('.') ? basename(dirname(folder)) : name.replace(/\.git$/, '');
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

interface GitAnswer {
  stdout: string;
  stderr: string;
  /** Whether it was ended because it took too long. */
  isSilent: boolean;
}

/**
 * Neither of the two questions makes git run anything that the repository's settings name, such as `core.fsmonitor`: an
 * agent may name a folder that it has only downloaded. For the same reason git is told the folder instead of started in
 * it, where a relative entry of PATH would find programs.
 * @returns null if git is not installed
 * @throws FolderProblem if the folder is gone
 */
function runGit(folder: string, args: string[], timeoutMs: number): Promise<GitAnswer | null> {
  const env: NodeJS.ProcessEnv = { ...process.env, LC_ALL: 'C' };
  for (const name of VARIABLES_OF_A_HOOK) delete env[name];
  const { root } = parse(folder);
  const options = { cwd: root, env, timeout: timeoutMs, killSignal: 'SIGKILL' as const, windowsHide: true };
  return new Promise((resolve, reject) => {
    execFile('git', ['-C', folder, ...args], options, (error, stdout, stderr) => {
      const isUnanswered = error !== null && !stdout && !stderr;
      if (stderr.startsWith('fatal: cannot change to ')) reject(noFolder(folder));
      else if (isUnanswered && typeof error.code === 'string') resolve(null);
      else resolve({ stdout, stderr, isSilent: isUnanswered && error.killed === true });
    });
  });
}

/** Longer ones say more of the repository's content than of what is wrong with it. */
const MAX_WHY_LENGTH = 300;
/** A longer command is not shown, because answers to agents are cut and half a command is another one. */
const MAX_NAMED_LENGTH = 500;

/**
 * What git says holds paths, and values of the repository's settings, which may have line breaks. A repository that
 * somebody has only downloaded could add any lines of its own by them. So no more than the first line is shown, and the
 * remedy is made here.
 */
function readRefusal(stderr: string, folder: string): UnreadableRepository | null {
  if (/^fatal: not a git repository \(/im.test(stderr)) return null;
  const first = /^fatal: (.+)$/m.exec(stderr)?.[1] ?? stderr.trim().split('\n', 1)[0] ?? '';
  const why = shorten(makeVisible(first), MAX_WHY_LENGTH);
  return { kind: 'unreadable', why, remedy: findRemedy(first, folder) };
}

/** The repository of another user is read once git is told so, if it is at or above the folder that was asked about. */
function findRemedy(why: string, folder: string): string | null {
  const named = /^detected dubious ownership in repository at '((?:[A-Z]:)?\/.*)'$/i.exec(why)?.[1];
  if (named === undefined || named.length > MAX_NAMED_LENGTH || makeVisible(named) !== named) return null;
  // Git takes `/*` at the end for all repositories below.
  if (named.endsWith('/*') || !isWithin(folder, resolve(named))) return null;
  return `git config --global --add safe.directory ${quoteForShell(named)}`;
}

const quoteForShell = (text: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
