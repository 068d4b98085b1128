// run SCRIPT [ARGUMENT...]: builds if need be, and then is that script of dist/, in this very process.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import './build-if-stale.js';

const PARENT_POLL_MS = 250;

if (!process.exitCode) {
  stopWithParent();
  const script = join(import.meta.dirname, '..', 'dist', process.argv[2]);
  process.argv.splice(1, 2, script);
  await import(pathToFileURL(script).href);
}

/** npm passes a signal on to the shell between it and us, and that ends without passing it on. */
function stopWithParent() {
  const parent = process.ppid;
  const poll = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(poll); // a second signal would mean: at once
    process.kill(process.pid, 'SIGTERM');
  }, PARENT_POLL_MS).unref();
}
