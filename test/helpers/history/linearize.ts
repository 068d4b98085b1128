/** An operation that took effect at one moment between its start and its end. */
export interface Interval<Op> {
  op: Op;
  start: number;
  /** Infinity for an operation that may have taken effect at any time after its start, or never. */
  end: number;
}

export interface Spec<State, Op> {
  /**
   * The states to which the operation may lead from this one, given the answer that it got. Empty if that answer would
   * be wrong in this state, or if the operation would change nothing and need not have happened. If the state does not
   * change, the same object must be returned.
   */
  step(state: State, op: Op): readonly State[];
  /** A key that is equal for states that no later operation can distinguish. */
  keyOf(state: State): string;
}

export type Verdict<State, Op> =
  | { kind: 'explained'; state: State; steps: number }
  /** No order was found. The best attempt explains `explained` operations, and then none of `stuck` can be next. */
  | { kind: 'unexplained' | 'gave-up'; explained: number; stuck: Op[]; steps: number };

/**
 * A valid history takes little more than one step for each operation. A search that takes more steps than this is most
 * likely lost in an invalid history.
 */
const MAX_STEPS = 200_000;

/**
 * Searches for an order of the operations in which every answer is right. An operation that ended before another one
 * started must come before it. This is linearizability (Herlihy and Wing). The search is that of Wing and Gong, and
 * visits no configuration twice (Lowe), as Porcupine does.
 */
export function linearize<State, Op>(
  spec: Spec<State, Op>,
  initial: State,
  intervals: readonly Interval<Op>[],
  maxSteps = MAX_STEPS,
): Verdict<State, Op> {
  const timeline = new Timeline(intervals);
  const seen = new Set<string>();
  const decisions: Decision<State>[] = [];
  let state = initial;
  let best: { explained: number; stuck: Op[] } = { explained: -1, stuck: [] };
  /** The first choice that has not been tried in the current configuration. */
  let from = 0;
  for (let steps = 0; timeline.required > 0; steps++) {
    if (decisions.length > best.explained)
      best = { explained: decisions.length, stuck: timeline.opsOf(timeline.candidates()) };
    if (steps >= maxSteps) return { kind: 'gave-up', ...best, steps };
    const decision: Decision<State> | null = findNext(spec, state, timeline, from);
    if (decision !== null) {
      timeline.take(decision.call);
      const configuration = `${timeline.key()} ${spec.keyOf(decision.after)}`;
      if (!seen.has(configuration)) {
        seen.add(configuration);
        decisions.push(decision);
        state = decision.after;
        from = 0;
        continue;
      }
      timeline.putBack(decision.call);
      from = decision.choice + 1;
      if (decision.after !== state) continue;
    }
    // A dead end: go back to the last decision that changed the state. Another order of those that did not cannot help.
    let last: Decision<State> | undefined;
    do {
      last = decisions.pop();
      if (!last) return { kind: 'unexplained', ...best, steps };
      timeline.putBack(last.call);
    } while (last.after === last.before);
    state = last.before;
    from = last.choice + 1;
  }
  return { kind: 'explained', state, steps: decisions.length };
}

interface Decision<State> {
  /** Its position among all choices in that configuration. */
  choice: number;
  call: number;
  before: State;
  after: State;
}

/**
 * Returns choice number `from` of the operations that can come next; null if there are not so many.
 *
 * If an operation would leave the state as it is, it is the only choice: any valid order remains valid when this
 * operation is moved to the front. Otherwise the operations that must have happened come first, and then those that
 * need not have, since these are seldom needed before another operation shows their effect.
 */
function findNext<State, Op>(
  spec: Spec<State, Op>,
  before: State,
  timeline: Timeline<Op>,
  from: number,
): Decision<State> | null {
  const candidates = timeline.candidates();
  const steps = candidates.map((call) => spec.step(before, timeline.opOf(call)));
  const unchanging = steps.findIndex((states) => states.includes(before));
  if (unchanging >= 0) {
    return from === 0 ? { choice: 0, call: candidates[unchanging] as number, before, after: before } : null;
  }
  const isRequired = candidates.map((call) => timeline.isRequired(call));
  let choice = 0;
  for (const wanted of [true, false]) {
    for (const [i, states] of steps.entries()) {
      if (isRequired[i] !== wanted) continue;
      for (const after of states) {
        if (choice === from) return { choice, call: candidates[i] as number, before, after };
        choice += 1;
      }
    }
  }
  return null;
}

/** The calls and returns in the order of time, as a linked list. Operations whose place is decided are taken out. */
class Timeline<Op> {
  /** How many operations are left that must have happened. */
  required = 0;
  /** The operation of each place that is a call. Returns and both ends of the list have none. */
  readonly #ops: Op[] = [];
  readonly #returnOf: number[] = [];
  readonly #next: number[] = [];
  readonly #previous: number[] = [];
  /** After each `take`, the furthest place of a call that has been taken. `putBack` removes the last entry. */
  readonly #furthest: number[] = [];

  constructor(intervals: readonly Interval<Op>[]) {
    const events = intervals.flatMap(({ start, end }, i) => [
      { i, time: start, isCall: true },
      ...(end === Number.POSITIVE_INFINITY ? [] : [{ i, time: end, isCall: false }]),
    ]);
    // At the same time calls come before returns, because such operations may have happened in either order.
    events.sort((a, b) => a.time - b.time || Number(b.isCall) - Number(a.isCall));
    const called: number[] = [];
    // Place 0 is the beginning of the list, and the last place its end.
    for (const [n, { i, isCall }] of events.entries()) {
      const place = n + 1;
      if (isCall) {
        this.#ops[place] = (intervals[i] as Interval<Op>).op;
        called[i] = place;
      } else {
        this.#returnOf[called[i] as number] = place;
        this.required += 1;
      }
    }
    for (let place = 0; place <= events.length + 1; place++) {
      this.#next[place] = place + 1;
      this.#previous[place] = place - 1;
    }
  }

  /** The calls that can come next according to their times: those before the first return. */
  candidates(): number[] {
    const calls: number[] = [];
    for (let at = this.#next[0] as number; this.#isCall(at); at = this.#next[at] as number) calls.push(at);
    return calls;
  }

  opOf(call: number): Op {
    return this.#ops[call] as Op;
  }

  opsOf(calls: readonly number[]): Op[] {
    return calls.map((call) => this.opOf(call));
  }

  isRequired(call: number): boolean {
    return this.#returnOf[call] !== undefined;
  }

  take(call: number): void {
    this.#unlink(call);
    const end = this.#returnOf[call];
    if (end !== undefined) {
      this.#unlink(end);
      this.required -= 1;
    }
    this.#furthest.push(Math.max(call, this.#furthest.at(-1) ?? 0));
  }

  /** Undoes the last `take`. */
  putBack(call: number): void {
    const end = this.#returnOf[call];
    if (end !== undefined) {
      this.#link(end);
      this.required += 1;
    }
    this.#link(call);
    this.#furthest.pop();
  }

  /** Identifies the calls that have been taken: all up to the furthest, except those listed. */
  key(): string {
    const furthest = this.#furthest.at(-1) ?? 0;
    const left: number[] = [];
    for (let at = this.#next[0] as number; at < furthest; at = this.#next[at] as number) {
      if (this.#isCall(at)) left.push(at);
    }
    return `${furthest}-${left.join('-')}`;
  }

  #isCall(place: number): boolean {
    return place in this.#ops;
  }

  #unlink(place: number): void {
    this.#next[this.#previous[place] as number] = this.#next[place] as number;
    this.#previous[this.#next[place] as number] = this.#previous[place] as number;
  }

  #link(place: number): void {
    this.#next[this.#previous[place] as number] = place;
    this.#previous[this.#next[place] as number] = place;
  }
}
