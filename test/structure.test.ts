// What holds for the sources as a whole. Which layer may import which is in biome.json.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { packageRoot } from '../src/package-root.js';

const MAX_LINES = 300;
const MAX_FILES = 16;

const sources = filesIn('src');
const dashboard = filesIn('dashboard/src');
const styles = filesIn('dashboard/styles');
const all = new Map([...sources, ...dashboard, ...styles]);

t.test('no file imports itself through others, not even for a type', async (t) => {
  const imports = new Map([...sources, ...dashboard].map(([path, text]) => [path, importsOf(path, text)]));
  t.same(findCircles(imports), []);
});

t.test(`no file has more than ${MAX_LINES} lines`, async (t) => {
  const lengths = [...all].map(([path, text]) => ({ path, lines: text.trimEnd().split('\n').length }));
  t.same(
    lengths.filter(({ lines }) => lines > MAX_LINES),
    [],
  );
});

t.test(`no folder has more than ${MAX_FILES} files`, async (t) => {
  const files = new Map<string, number>();
  for (const folder of [...all.keys()].map(dirname)) files.set(folder, (files.get(folder) ?? 0) + 1);
  const crowded = [...files].filter(([, count]) => count > MAX_FILES).map(([folder]) => folder);
  t.same(crowded, []);
});

t.test('what is installed without development dependencies has every package that is imported', async (t) => {
  const { dependencies } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  const paths = [...sources.keys()].filter((path) => !path.endsWith('.d.ts'));
  const missing = paths.flatMap((path) => {
    // The compiled file, because an import of types alone is not in it.
    const compiled = readFileSync(join(packageRoot, 'dist', path.replace(/\.ts$/, '.js')), 'utf8');
    const names = ts.preProcessFile(compiled, true, true).importedFiles.map(({ fileName }) => packageOf(fileName));
    return names.filter((name) => name !== null && !(name in dependencies)).map((name) => `${path}: ${name}`);
  });
  t.same(missing, []);
});

/** @returns null for Node's own modules, and for files of this package */
function packageOf(imported: string): string | null {
  if (/^(node:|\.)/.test(imported)) return null;
  return imported.split('/', imported.startsWith('@') ? 2 : 1).join('/');
}

t.test('circles of imports are found', async (t) => {
  const imports = { a: ['b', 'e'], b: ['c'], c: ['a'], d: ['a', 'd'], e: ['f'], f: ['e'], g: ['a'] };
  t.same(findCircles(new Map(Object.entries(imports))), [['a', 'b', 'c'], ['d'], ['e', 'f']]);
});

/** The text of each source in a folder and those below it, by its path. */
function filesIn(folder: string): Map<string, string> {
  return new Map(
    readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.(tsx?|css)$/.test(path))
      .sort()
      .map((path) => [join(folder, path), readFileSync(join(packageRoot, folder, path), 'utf8')] as const),
  );
}

/** The files of this project that a source imports, of any kind: values, types, dynamic imports and re-exports. */
function importsOf(path: string, text: string): string[] {
  const { importedFiles } = ts.preProcessFile(text, true, true);
  const own = importedFiles.map(({ fileName }) => fileName).filter((name) => name.startsWith('.'));
  return own.map((name) => {
    const imported = join(dirname(path), name);
    return (
      [imported.replace(/\.js$/, '.ts'), imported.replace(/\.js$/, '.tsx')].find((one) => all.has(one)) ?? imported
    );
  });
}

/** Groups of files that all reach each other by their imports, each group in alphabetical order. */
function findCircles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const reached = new Map([...imports.keys()].map((file) => [file, reachableFrom(file, imports)]));
  const circles = new Map<string, string[]>();
  for (const [file, others] of reached) {
    if (!others.has(file)) continue;
    const circle = [...others].filter((other) => reached.get(other)?.has(file)).sort();
    circles.set(circle.join(), circle);
  }
  return [...circles.values()];
}

/** Every file that `start` imports, directly or by way of others. */
function reachableFrom(start: string, imports: ReadonlyMap<string, readonly string[]>): Set<string> {
  const found = new Set<string>();
  const waiting = [start];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    for (const next of imports.get(file) ?? []) {
      if (!found.has(next)) waiting.push(next);
      found.add(next);
    }
  }
  return found;
}
