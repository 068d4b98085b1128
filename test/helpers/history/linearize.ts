/** Something that happened at one moment between its start and its end. */
export interface Interval<Op> {
  op: Op;
  start: number;
  /** Infinity for what may have happened at any time after its start, or never. */
  end: number;
}

export interface Spec<State, Op> {
  /**
   * The states that the operation may lead to from this one, with the answer it got; none where that answer
   * would be wrong here, or where it would change nothing and need not have happened at all. What leaves the
   * state as it is answers that very state.
   */
  step(state: State, op: Op): readonly State[];
  /** Equal for states that nothing that follows can tell apart. */
  keyOf(state: State): string;
}

export type Verdict<State, Op> =
  | { kind: 'explained'; state: State; steps: number }
  /** No order explains it: the best one explains `explained` operations, and then none of `stuck` can be next. */
  | { kind: 'unexplained' | 'gave-up'; explained: number; stuck: Op[]; steps: number };

/** A valid history takes little more than one step an operation; beyond this the search is lost in an invalid one. */
const MAX_STEPS = 200_000;

/**
 * Looks for an order of the operations, one that respects which of them ended before others started, in
 * which every answer is right: linearizability (Herlihy and Wing), searched for in the way of Wing and
 * Gong, and never twice from one configuration (Lowe), as Porcupine does.
 */
export function linearize<State, Op>(
  spec: Spec<State, Op>,
  initial: State,
  intervals: readonly Interval<Op>[],
  maxSteps = MAX_STEPS,
): Verdict<State, Op> {
  const timeline = new Timeline(intervals);
  const seen = new Set<string>();
  const decided: Decision<State>[] = [];
  let state = initial;
  let best: { explained: number; stuck: Op[] } = { explained: -1, stuck: [] };
  /** Which of the choices that there are now to look at next. */
  let from = 0;
  for (let steps = 0; timeline.required > 0; steps++) {
    if (decided.length > best.explained)
      best = { explained: decided.length, stuck: timeline.opsOf(timeline.candidates()) };
    if (steps >= maxSteps) return { kind: 'gave-up', ...best, steps };
    const decision: Decision<State> | null = findNext(spec, state, timeline, from);
    if (decision !== null) {
      timeline.take(decision.call);
      const configuration = `${timeline.key()} ${spec.keyOf(decision.after)}`;
      if (!seen.has(configuration)) {
        seen.add(configuration);
        decided.push(decision);
        state = decision.after;
        from = 0;
        continue;
      }
      timeline.putBack(decision.call);
      from = decision.choice + 1;
      if (decision.after !== state) continue;
    }
    // A dead end. What left the state as it was is not to blame.
    let last: Decision<State> | undefined;
    do {
      last = decided.pop();
      if (!last) return { kind: 'unexplained', ...best, steps };
      timeline.putBack(last.call);
    } while (last.after === last.before);
    state = last.before;
    from = last.choice + 1;
  }
  return { kind: 'explained', state, steps: decided.length };
}

interface Decision<State> {
  /** Its place among all the choices that there were. */
  choice: number;
  call: number;
  before: State;
  after: State;
}

/**
 * The choices are, in this order: what leaves the state as it is (if there is an order at all, there is one that
 * goes on with it: moved to the front, it changes nothing for the others), then what must have happened, then
 * what need not have, which is seldom needed before something else shows that it has.
 */
function findNext<State, Op>(
  spec: Spec<State, Op>,
  before: State,
  timeline: Timeline<Op>,
  from: number,
): Decision<State> | null {
  const candidates = timeline.candidates();
  const steps = candidates.map((call) => spec.step(before, timeline.opOf(call)));
  const harmless = steps.findIndex((states) => states.includes(before));
  if (harmless >= 0) {
    return from === 0 ? { choice: 0, call: candidates[harmless] as number, before, after: before } : null;
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

/** Calls and returns in the order of time, as a linked list from which those that are decided are taken out. */
class Timeline<Op> {
  /** How many are left that must have happened. */
  required = 0;
  /** Of the calls; returns, and both ends, have none. */
  readonly #ops: Op[] = [];
  readonly #returnOf: number[] = [];
  readonly #next: number[] = [];
  readonly #previous: number[] = [];
  /** The places of the calls that were taken, the furthest at the end; a call is taken only once per decision. */
  readonly #furthest: number[] = [];

  constructor(intervals: readonly Interval<Op>[]) {
    const events = intervals.flatMap(({ start, end }, i) => [
      { i, time: start, isCall: true },
      ...(end === Number.POSITIVE_INFINITY ? [] : [{ i, time: end, isCall: false }]),
    ]);
    // At one and the same time calls come first: such operations may have come in either order.
    events.sort((a, b) => a.time - b.time || Number(b.isCall) - Number(a.isCall));
    const called: number[] = [];
    // Place 0 is before everything, the last one behind it.
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

  /** The calls that could come next as far as time goes: those before the first return. */
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

  /** Tells which calls are taken: all up to the furthest, but for these. */
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
