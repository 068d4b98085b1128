// build-dashboard FOLDER: bundles dashboard/ into FOLDER: index.html (the dashboard), docs.html (the contract for people)
// and assets/. The names of the assets contain a hash of their content.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const source = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dashboard');
const [folder = join('dist', 'dashboard')] = process.argv.slice(2);

/** By page, the address of the folder above assets/ as seen from it, and the files that it names. */
const PAGES = {
  'index.html': { base: './', entryPoints: ['src/main.tsx', 'styles/main.css', 'icon.svg'] },
  'docs.html': { base: '../', entryPoints: ['src/docs.ts', 'styles/docs.css', 'icon.svg'] }, // served at /docs/
};

const { metafile } = await build({
  absWorkingDir: source,
  entryPoints: [...new Set(Object.values(PAGES).flatMap(({ entryPoints }) => entryPoints))],
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

/** By entry point, the name of the asset that was made of it. */
const assets = new Map(
  Object.entries(metafile.outputs).map(([output, { entryPoint, inputs }]) => [
    entryPoint ?? Object.keys(inputs)[0], // esbuild names no entry point for a file that it only copies
    basename(output),
  ]),
);
for (const [name, { base, entryPoints }] of Object.entries(PAGES)) {
  let page = readFileSync(join(source, name), 'utf8');
  for (const entry of entryPoints) {
    if (!page.includes(`"./${entry}"`)) throw new Error(`dashboard/${name} does not name ./${entry}`);
    page = page.replaceAll(`"./${entry}"`, `"${base}assets/${assets.get(entry)}"`);
  }
  writeFileSync(join(folder, name), page);
}
