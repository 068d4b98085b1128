// run SCRIPT [ARGUMENT...]: builds if need be, and then is that script of dist/, in this very process.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import './build-if-stale.js';

if (!process.exitCode) {
  await import('./stop-with-parent.js');
  const script = join(import.meta.dirname, '..', 'dist', process.argv[2]);
  process.argv.splice(1, 2, script);
  await import(pathToFileURL(script).href);
}
