// Builds the project if a source is newer than the last build, so that `npm ci` and `npm start` are enough to run it.
import { build } from './build.js';
import { isBuildStale } from './staleness.js';

if (isBuildStale() && !build(isBuildStale)) process.exitCode = 1;
