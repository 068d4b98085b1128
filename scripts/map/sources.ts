// The files of src/, their sizes and what they import from one another.
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../../src/package-root.js';

export interface Source {
  /** From the root of the package: `src/app.ts`. */
  path: string;
  lines: number;
  text: string;
  /** The paths of the files of src/ that it imports or re-exports from, also for their types alone. */
  imports: string[];
}

export async function readSources(): Promise<Source[]> {
  const entries = await readdir(join(packageRoot, 'src'), { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(packageRoot, join(entry.parentPath, entry.name)))
    .sort();
  return Promise.all(
    paths.map(async (path) => {
      const text = await readFile(join(packageRoot, path), 'utf8');
      const imports = ts
        .preProcessFile(text)
        .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
        .map(({ fileName }) => join(dirname(path), fileName).replace(/\.js$/, '.ts'))
        .filter((imported) => paths.includes(imported));
      return { path, lines: text.split('\n').length - 1, text, imports };
    }),
  );
}

/** The folder that has the most files, not counting those of the folders within it. */
export function largestFolder(sources: readonly Source[]): { folder: string; files: number } {
  const counts = new Map<string, number>();
  for (const { path } of sources) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  const [[folder, files] = ['', 0]] = [...counts].sort(([, a], [, b]) => b - a);
  return { folder, files };
}

/**
 * Groups of files in which each imports each other, directly or through others: a group of two files is one circle, a
 * larger group may hold many.
 */
export function importCircles(sources: readonly Source[]): string[][] {
  const importsOf = new Map(sources.map(({ path, imports }) => [path, imports]));
  const reached = new Map(sources.map(({ path }) => [path, reachableFrom(path, importsOf)]));
  const groups: string[][] = [];
  for (const [path, others] of reached) {
    if (!others.has(path) || groups.some((group) => group.includes(path))) continue;
    groups.push([...others].filter((other) => reached.get(other)?.has(path)).sort());
  }
  return groups;
}

/** All files that `path` imports, directly or through others. Contains `path` itself if the imports lead back to it. */
function reachableFrom(path: string, importsOf: ReadonlyMap<string, string[]>): Set<string> {
  const reached = new Set<string>();
  const waiting = [path];
  for (const next of waiting) {
    for (const imported of importsOf.get(next) ?? []) {
      if (reached.has(imported)) continue;
      reached.add(imported);
      waiting.push(imported);
    }
  }
  return reached;
}
