import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import chromium from '@sparticuz/chromium';
import type { Provided } from './suites.js';

/**
 * CHROMIUM, a browser that starts: the one that is set, the one on the PATH, the one that npm installed, or, where that
 * one misses libraries of the system, Debian's, which is installed.
 */
export async function provideChromium(): Promise<Provided> {
  const browser = await findBrowser();
  if (browser === null) throw new Error('No browser: set CHROMIUM to one, or put chromium on the PATH.');
  process.stderr.write(`The browser for the tests: ${versionOf(browser)} (${browser})\n`);
  return { variables: { CHROMIUM: browser }, async stop() {} };
}

async function findBrowser(): Promise<string | null> {
  const given = process.env.CHROMIUM ?? findOnPath();
  if (given) return given;
  const bundled = await chromium.executablePath().catch(() => null);
  if (bundled !== null && versionOf(bundled)) return bundled;
  installDebians();
  return findOnPath();
}

function findOnPath(): string | null {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, 'chromium')).find(existsSync) ?? null;
}

/** Null for what does not start. */
function versionOf(path: string): string | null {
  const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

function installDebians(): void {
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'chromium']]) {
    const { error, stderr } = spawnSync('apt-get', ['-qq', ...args], { encoding: 'utf8' });
    if (error || stderr) process.stderr.write(`apt-get ${args[0]}: ${error?.message ?? stderr}\n`);
  }
}
