import fc from 'fast-check';
import type { Test } from 'tap';

/**
 * Asserts that a property holds for generated values. If it does not, the message has the smallest counterexample that
 * was found, and the seed and path that lead to it again.
 */
export async function holds<T>(
  t: Test,
  property: fc.IRawProperty<T>,
  parameters: fc.Parameters<T> = {},
): Promise<void> {
  const run = await fc.check(property, { includeErrorInReport: true, ...parameters });
  t.notOk(run.failed, (await fc.asyncDefaultReportMessage(run)) ?? `held for ${run.numRuns} values`);
}
