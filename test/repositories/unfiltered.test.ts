// Queries that are not asked what the caller may see: each has a reason.
import t from 'tap';
import { callsOf } from '../helpers/sources.js';

/** The queries that may run unfiltered, each with the reason. */
const unfiltered: Record<string, string> = {
  findTaken: 'It tells only whether a port is taken, as everybody may know of every port.',
  findReleased:
    'It tells which ids are not active any more, and the audit that asks has read those ids by findAudited.',
  findAnswer: 'An answer is kept under its caller, and nobody else gets it.',
  hasRange: 'It tells whether a project has a range, which everybody may know, and only admins create projects.',
  findRangeRow: 'It reads whose a range is, which everybody may know, and only admins change ranges.',
  listRangeOwners: 'It reads whose the ranges are, which everybody may know.',
  listExcludedPorts: 'They belong to no project, and everybody may read them.',
  findExcluded: 'They belong to no project, and everybody may read them.',
  findExcludedPort: 'It belongs to no project, and everybody may read it.',
  findPositionBefore: 'It tells where a time begins in the feed, which every reader of events learns from their ids.',
  findEnvironmentPath: 'It is of the environment of an allocation that the caller is about to be answered.',
  findExpiring: 'Only the scheduled pass asks, which looks after the environments of all projects.',
  findPortsOf: 'Only the scheduled pass asks, which probes the ports of the environments that it has found.',
  readClock: 'It reads the time.',
  listHealthChecks: 'The allocation whose checks they are has been found for the caller before.',
};

t.test('only queries that may be are run unfiltered', async (t) => {
  const calls = callsOf('src', 'readUnfiltered');
  const problems = calls
    .filter(({ firstArgument }) => !(firstArgument in unfiltered))
    .map(({ file, firstArgument }) => {
      return `${file} runs ${firstArgument} unfiltered: let it take an access, or add it to \`unfiltered\` in this test with the reason`;
    });
  t.same(problems, []);
  const used = new Set(calls.map(({ firstArgument }) => firstArgument));
  t.same(
    Object.keys(unfiltered).filter((name) => !used.has(name)),
    [],
    'and each of them is in use',
  );
});
