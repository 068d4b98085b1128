import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Test } from 'tap';

// The user's own settings of git, and a hook that this test may run in, are left out.
for (const name of Object.keys(process.env)) if (name.startsWith('GIT_')) delete process.env[name];
Object.assign(process.env, { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' });

/** A folder outside of this repository, which git would find. */
export function makeFolder(t: Test, name = 'shop'): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'detect-')));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const folder = join(root, name);
  mkdirSync(folder);
  return folder;
}

export const git = (folder: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'protocol.file.allow=always', ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });

/** A repository with one commit. */
export function makeRepository(t: Test, name = 'shop'): string {
  const folder = makeFolder(t, name);
  git(folder, 'init', '--quiet', '--initial-branch=main');
  git(folder, 'commit', '--quiet', '--allow-empty', '--message=first');
  return folder;
}

/** Lets a script of `sh` take the place of git until the test ends. */
export function replaceGit(t: Test, script: string): void {
  const bin = makeFolder(t, 'bin');
  writeFileSync(join(bin, 'git'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const before = process.env.PATH as string;
  process.env.PATH = [bin, before].join(delimiter);
  t.teardown(() => {
    process.env.PATH = before;
  });
}
