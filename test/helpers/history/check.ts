import { type Interval, linearize } from './linearize.js';
import { describe, nameOf, type Operation, type PortSpace, type Row } from './operations.js';
import { EMPTY, portSpaceSpec, type Step } from './port-space-spec.js';

/** The result of checking a history. */
interface Report {
  operations: number;
  unknown: number;
  steps: number;
  violations: string[];
}

/**
 * Checks whether there is an order of the recorded operations in which all answers are right. Each port space is
 * checked by itself, because the ports of one do not depend on what is done in another. Every space must be empty at
 * the start, and its history must end with a `list`.
 * @param portsOf the ports of a project's ranges, ascending
 */
export function checkHistory(history: readonly Operation[], portsOf: (space: PortSpace) => readonly number[]): Report {
  const spaces = new Map<string, Operation[]>();
  for (const operation of history) {
    const name = nameOf(operation.space);
    const others = spaces.get(name);
    if (others) others.push(operation);
    else spaces.set(name, [operation]);
  }
  const total: Report = { operations: 0, unknown: 0, steps: 0, violations: [] };
  for (const [name, operations] of spaces) {
    const { steps, violations } = checkSpace(operations, portsOf((operations[0] as Operation).space));
    total.operations += operations.length;
    total.unknown += operations.filter(({ answer }) => answer.kind === 'unknown').length;
    total.steps += steps;
    total.violations.push(...violations.map((violation) => `${name}: ${violation}`));
  }
  return total;
}

function checkSpace(operations: readonly Operation[], ports: readonly number[]) {
  const last = operations.findLast(({ asked }) => asked.op === 'list');
  if (last?.answer.kind !== 'rows') return { steps: 0, violations: ['the history ends without a list'] };
  const { rows } = last.answer;
  // With an obvious fault the search would fail too, but could not say why.
  const faults = findObviousFaults(operations, rows);
  if (faults.length > 0) return { steps: 0, violations: faults };

  const made = new Set(operations.flatMap(({ answer }) => (answer.kind === 'created' ? [answer.id] : [])));
  const unclaimed = rows.filter(({ id }) => !made.has(id));
  const spec = portSpaceSpec(ports, unclaimed);
  let intervals = operations.flatMap((operation) => asInterval(operation, rows));
  let verdict = linearize(spec, EMPTY, intervals);
  const attempts = operations.flatMap((operation) => asFirstAttempt(operation, unclaimed));
  if (verdict.kind !== 'explained' && attempts.length > 0) {
    intervals = [...intervals, ...attempts];
    verdict = linearize(spec, EMPTY, intervals);
  }
  if (verdict.kind === 'explained') return { steps: verdict.steps, violations: [] };
  const what =
    verdict.kind === 'gave-up'
      ? `the search gave up after ${verdict.steps} steps`
      : `no order of the operations gives these answers`;
  const stuck = verdict.stuck.slice(0, 40).map((step) => `\n  ${describe(step as Operation)}`);
  return {
    steps: verdict.steps,
    violations: [
      `${what}; after ${verdict.explained} of ${intervals.length}, none of these can be next:${stuck.join('')}`,
    ],
  };
}

/** Finds faults that can be seen without a search: wrong answers, lost allocations, and ports with two holders. */
function findObviousFaults(operations: readonly Operation[], rows: readonly Row[]): string[] {
  const faults: string[] = [];
  const left = new Map(rows.map((row) => [row.id, row]));
  const makers = new Map<string, Operation>();
  for (const operation of operations) {
    const { answer } = operation;
    if (answer.kind === 'wrong') faults.push(`an answer that is right in no state: ${describe(operation)}`);
    if (!('id' in answer)) continue;
    const row = left.get(answer.id);
    if (!row) faults.push(`it was acknowledged and is gone: ${describe(operation)}`);
    else if (row.port !== answer.port) faults.push(`it is at port ${row.port}: ${describe(operation)}`);
    const other = answer.kind === 'created' ? makers.get(answer.id) : undefined;
    if (other) faults.push(`made twice: ${describe(other)} and ${describe(operation)}`);
    if (answer.kind === 'created') makers.set(answer.id, operation);
  }
  const holders = new Map<number, string>();
  for (const { id, port, released } of rows) {
    if (released) continue;
    if (holders.has(port)) faults.push(`port ${port} is held by ${holders.get(port)} and by ${id}`);
    holders.set(port, id);
  }
  return faults;
}

/**
 * The operation for the search, or nothing if it certainly changed nothing. An operation of unknown outcome may have
 * happened at any time after its start.
 */
function asInterval(operation: Operation, rows: readonly Row[]): Interval<Step>[] {
  const { asked, answer, start, end } = operation;
  if (answer.kind === 'refused') return [];
  if (answer.kind !== 'unknown') return [{ op: operation, start, end }];
  const isReleased = (row: Row | undefined) => row?.released ?? false;
  const mayHaveReleased =
    (asked.op === 'release' && isReleased(rows.find(({ id }) => id === asked.id))) ||
    (asked.op === 'release-holder' && rows.some((row) => row.holder === asked.holder && isReleased(row)));
  const mayHaveMade = asked.op === 'get-or-allocate' || asked.op === 'allocate';
  const mayHaveExcluded = asked.op === 'exclude' || asked.op === 'include';
  return mayHaveReleased || mayHaveMade || mayHaveExcluded
    ? [{ op: operation, start, end: Number.POSITIVE_INFINITY }]
    : [];
}

/**
 * A possible first attempt of an operation. After a commit of unknown outcome the service repeats an idempotent
 * operation by itself, and answers what the second attempt found. If somebody released in between what the first
 * attempt had made, the answer does not show that. The first attempt may then have happened at any time after the
 * start, which accepts a few more histories than necessary.
 */
function asFirstAttempt(operation: Operation, unclaimed: readonly Row[]): Interval<Step>[] {
  const { asked, answer, start } = operation;
  if (asked.op !== 'get-or-allocate' || answer.kind === 'refused') return [];
  const told = 'id' in answer ? answer.id : null;
  const others = unclaimed.filter(({ id, holder }) => holder === asked.holder && id !== told);
  // If the outcome is unknown, the operation itself explains one of them.
  if (others.length <= (answer.kind === 'unknown' ? 1 : 0)) return [];
  const attempt: Operation = { ...operation, answer: { kind: 'unknown', why: 'a first attempt' } };
  return [{ op: attempt, start, end: Number.POSITIVE_INFINITY }];
}
