import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { packageRoot } from '../../src/package-root.js';

const FOLDER = join('dist', 'test', 'groups');

/** Divides test files into groups of `size`, in their order. */
export function groupFiles(files: string[], size: number): string[][] {
  return files.flatMap((_, index) => (index % size === 0 ? [files.slice(index, index + size)] : []));
}

/**
 * Makes a module for each group, which one process runs: the tests of its files, one after another. A group of one file
 * needs none.
 * @returns the compiled modules, one for each group
 */
export function writeGroups(groups: string[][]): string[] {
  mkdirSync(join(packageRoot, FOLDER), { recursive: true });
  return groups.map((files, index) => {
    const [first = '', ...others] = files.map(toCompiled);
    if (others.length === 0) return first;
    const module = join(FOLDER, `${index}.test.js`);
    const imports = [first, ...others].map((file) => `import '${relative(FOLDER, file).replaceAll(sep, '/')}';\n`);
    writeFileSync(join(packageRoot, module), imports.join(''));
    return module;
  });
}

/** `test/config.test.ts` is run as `dist/test/config.test.js`. */
function toCompiled(file: string): string {
  return join('dist', file.replace(/\.ts$/, '.js'));
}
