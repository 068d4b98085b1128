// build-dashboard FOLDER: bundles dashboard/ into FOLDER, as index.html and assets/. The names of the assets contain a
// hash of their content.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const source = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dashboard');
const [folder = join('dist', 'dashboard')] = process.argv.slice(2);

const entryPoints = ['src/main.tsx', 'styles/main.css', 'icon.svg'];
const { metafile } = await build({
  absWorkingDir: source,
  entryPoints,
  outdir: join(process.cwd(), relative(process.cwd(), folder), 'assets'),
  entryNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  loader: { '.svg': 'copy' },
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['chrome116', 'firefox124', 'safari17.4'],
  metafile: true,
  logLevel: 'warning',
});

let page = readFileSync(join(source, 'index.html'), 'utf8');
for (const [output, { entryPoint, inputs }] of Object.entries(metafile.outputs)) {
  const entry = entryPoint ?? Object.keys(inputs)[0]; // esbuild names no entry point for a file that it only copies
  if (entryPoints.includes(entry)) page = page.replace(`"./${entry}"`, `"./assets/${basename(output)}"`);
}
const left = entryPoints.filter((entry) => page.includes(`"./${entry}"`));
if (left.length > 0) throw new Error(`dashboard/index.html still names ${left.join(', ')}`);
writeFileSync(join(folder, 'index.html'), page);
