// build-sdk FOLDER: bundles what the service uses of Cloudflare's SDK into FOLDER/src/services/cloudflare/sdk.js, with the
// licences under which that may be passed on. So the SDK is a development dependency. tsc leaves a compiled file alone
// whose source did not change, and then the bundle is bundled once more, which changes nothing but names in it.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const [folder = 'dist'] = process.argv.slice(2);
const file = resolve(folder, 'src/services/cloudflare/sdk.js');
const sdk = join(import.meta.dirname, '../node_modules/cloudflare');
const { version } = JSON.parse(readFileSync(join(sdk, 'package.json'), 'utf8'));
const [licence, ofQs] = ['LICENSE', 'src/internal/qs/LICENSE.md'].map((path) => readFileSync(join(sdk, path), 'utf8'));

await build({
  entryPoints: [file],
  outfile: file,
  allowOverwrite: true,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  banner: {
    js:
      `/*\nParts of the npm package cloudflare ${version}, changed in that they are bundled into one file.\n\n${licence}\n` +
      `A part of them, qs, has this licence:\n\n${ofQs}*/`,
  },
  logLevel: 'warning',
});
