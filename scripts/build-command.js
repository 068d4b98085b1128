// build-command FOLDER: bundles the command, and the stdio process of agents, of the compiled sources in FOLDER/src
// into FOLDER/bin, one file each. With a file for each module, Node took as long to find, read and link them as it takes
// to start. CommonJS, because the loader for it is there already when Node has started. The library for YAML is a file of
// its own, because it is half of the code, and needed only where there is a manifest.
import { join, relative, resolve, sep } from 'node:path';
import { build } from 'esbuild';

const [folder = 'dist'] = process.argv.slice(2);
const sources = resolve(folder, 'src');
const bin = resolve(folder, 'bin');
/** What clients are made of. All other sources are the service, which is loaded from where it is. */
const OF_CLIENTS = ['cli', 'client', 'detection', 'embedded', 'input', 'machine'].map((part) =>
  join(sources, part, sep),
);

await build({
  entryPoints: {
    'port-allocator': join(sources, 'cli/index.js'),
    yaml: 'yaml',
    'port-allocator-mcp': join(sources, 'client/bridge/main.js'),
  },
  outdir: bin,
  outExtension: { '.js': '.cjs' },
  bundle: true,
  external: ['jsonc-parser'], // finds its own files in a way that a bundler does not see
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  define: { 'import.meta.dirname': '__dirname' },
  logLevel: 'warning',
  plugins: [
    {
      name: 'leave out the service, and packages that are loaded where they are needed',
      setup(build) {
        build.onResolve({ filter: /^yaml$/ }, ({ kind }) => {
          if (kind !== 'entry-point') return { path: './yaml.cjs', external: true };
        });
        build.onResolve({ filter: /./ }, ({ kind, path, resolveDir }) => {
          if (kind !== 'dynamic-import' || path.startsWith('node:')) return;
          if (!path.startsWith('.')) return { path, external: true };
          const file = join(resolveDir, path);
          if (OF_CLIENTS.some((part) => file.startsWith(part))) return;
          return { path: relative(bin, file).replaceAll(sep, '/'), external: true };
        });
      },
    },
  ],
});
