import { join } from 'node:path';
import { build } from 'esbuild';
import type { Test } from 'tap';
import { packageRoot } from '../../src/package-root.js';

/**
 * Loads modules of the dashboard, by their paths under `dashboard/src`. They must not need a browser. Modules that are
 * loaded together share the signals of what they import.
 */
export async function importOfDashboard<T>(...paths: string[]): Promise<T> {
  const { outputFiles } = await build({
    stdin: {
      contents: paths.map((path) => `export * from './${path}';`).join('\n'),
      resolveDir: join(packageRoot, 'dashboard/src'),
    },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'node20',
  });
  const [output] = outputFiles;
  return import(`data:text/javascript,${encodeURIComponent(output?.text ?? '')}`);
}

/** Gives modules of the dashboard what browsers have, until the test ends: other test files share the process. */
export function replaceGlobals(t: Test, replacements: Record<string, unknown>): void {
  const before = Object.entries(replacements).map(
    ([name]) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const,
  );
  Object.assign(globalThis, replacements);
  t.teardown(() => {
    for (const [name, descriptor] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, descriptor);
    }
  });
}
