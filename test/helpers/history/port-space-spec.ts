import type { Spec } from './linearize.js';
import type { Answer, Operation, Place, Question } from './operations.js';

type Held = Place & { holder: string };

/** The state of one port space: what is held or excluded in it, and the first answer to each key. Immutable. */
export interface PortSpaceState {
  /** By port. */
  readonly held: ReadonlyMap<number, Held>;
  readonly excluded: ReadonlySet<number>;
  readonly firstAnswers: ReadonlyMap<string, Place>;
  /** The ids of the unclaimed allocations that have been made by now. */
  readonly found: ReadonlySet<string>;
}

export const EMPTY: PortSpaceState = {
  held: new Map(),
  excluded: new Set(),
  firstAnswers: new Map(),
  found: new Set(),
};

/** A question, and its answer. */
export type Step = Pick<Operation, 'asked' | 'answer'>;

/**
 * The promises of the service as a state machine: the lowest free port comes first, or the one that is preferred if it
 * is free; nobody gets an excluded port unasked; a port has one holder; get-or-allocate finds the port of a holder;
 * release is by id.
 * @param ports the ports of the project's ranges, ascending
 * @param unclaimed allocations that exist at the end although no answer said that it made them. They must have been
 * made by operations whose outcome is unknown. Without this list, such an operation could have taken any port.
 */
export function portSpaceSpec(ports: readonly number[], unclaimed: readonly Held[]): Spec<PortSpaceState, Step> {
  const isFree = ({ held, excluded }: PortSpaceState, port: number) => !held.has(port) && !excluded.has(port);
  const lowestGap = (state: PortSpaceState) => ports.find((port) => isFree(state, port)) ?? null;
  const nextPort = (state: PortSpaceState, prefer?: number) =>
    prefer !== undefined && ports.includes(prefer) && isFree(state, prefer) ? prefer : lowestGap(state);

  const allocate = (state: PortSpaceState, { id, port, holder }: Held, prefer?: number): PortSpaceState[] =>
    port === nextPort(state, prefer)
      ? [{ ...state, held: new Map([...state.held, [port, { id, port, holder }]]) }]
      : [];

  /** The states after one of this holder's unclaimed allocations has been made. */
  const find = (state: PortSpaceState, holder: string, prefer?: number): { made: Held; next: PortSpaceState }[] =>
    unclaimed
      .filter((row) => row.holder === holder && !state.found.has(row.id))
      .flatMap((made) =>
        allocate(state, made, prefer).map((next) => ({
          made,
          next: { ...next, found: new Set([...state.found, made.id]) },
        })),
      );

  /**
   * The states after an operation that the service repeated by itself. The outcome of its first attempt was unknown,
   * and the second attempt found and answered what the first one had made.
   */
  const findAnswered = (state: PortSpaceState, holder: string, answer: Place, prefer?: number): PortSpaceState[] =>
    find(state, holder, prefer).flatMap(({ made, next }) => (isSame(made, answer) ? [next] : []));

  function step(state: PortSpaceState, asked: Question, answer: Answer): readonly PortSpaceState[] {
    switch (asked.op) {
      case 'get-or-allocate': {
        const [lowest] = heldBy(state, asked.holder);
        if (answer.kind === 'unknown') return lowest ? [] : find(state, asked.holder).map(({ next }) => next);
        if (answer.kind === 'created') return lowest ? [] : allocate(state, { ...answer, holder: asked.holder });
        if (answer.kind === 'exhausted') return !lowest && lowestGap(state) === null ? [state] : [];
        if (answer.kind !== 'existing') return [];
        return lowest ? only(state, isSame(lowest, answer)) : findAnswered(state, asked.holder, answer);
      }
      case 'allocate': {
        const { holder, idempotencyKey: key, prefer } = asked;
        const first = key === null ? undefined : state.firstAnswers.get(key);
        if (first) return only(state, answer.kind === 'replayed' && isSame(first, answer));
        if (answer.kind === 'unknown')
          return find(state, holder, prefer).map(({ made, next }) => remember(next, key, made));
        if (answer.kind === 'exhausted') return only(state, lowestGap(state) === null);
        if (answer.kind === 'created') {
          return allocate(state, { ...answer, holder }, prefer).map((next) => remember(next, key, answer));
        }
        if (answer.kind !== 'replayed') return [];
        return findAnswered(state, holder, answer, prefer).map((next) => remember(next, key, answer));
      }
      case 'look-up': {
        const [lowest] = heldBy(state, asked.holder);
        if (answer.kind === 'none') return only(state, lowest === undefined);
        return only(state, answer.kind === 'existing' && lowest !== undefined && isSame(lowest, answer));
      }
      case 'release': {
        const held = [...state.held.values()].filter(({ id }) => id === asked.id);
        if (answer.kind === 'unknown') return held.length > 0 ? [without(state, held)] : [];
        // The id comes from an earlier answer, so the allocation exists. If it has been released before, releasing it
        // again changes nothing and gets the same answer.
        return answer.kind === 'released' && answer.id === asked.id ? [without(state, held)] : [];
      }
      case 'release-holder': {
        const held = heldBy(state, asked.holder);
        if (answer.kind === 'unknown') return held.length > 0 ? [without(state, held)] : [];
        return answer.kind === 'released-all' && areSame(held, answer.places) ? [without(state, held)] : [];
      }
      case 'exclude':
      case 'include': {
        const isDone = state.excluded.has(asked.port) === (asked.op === 'exclude');
        if (isDone) return only(state, answer.kind === 'none');
        if (answer.kind !== 'done' && answer.kind !== 'unknown') return [];
        const others = [...state.excluded].filter((port) => port !== asked.port);
        return [{ ...state, excluded: new Set(asked.op === 'exclude' ? [...others, asked.port] : others) }];
      }
      case 'list': {
        if (answer.kind !== 'rows') return [];
        const active = answer.rows.filter(({ released }) => !released);
        return only(state, areSame([...state.held.values()], active));
      }
    }
  }

  return {
    step: (state, { asked, answer }) => step(state, asked, answer),
    keyOf: ({ held, excluded, firstAnswers, found }) =>
      [[...held.values()].map(({ id }) => id), [...excluded].map(String), [...firstAnswers.keys()], [...found]]
        .map((part) => part.sort().join())
        .join(' '),
  };
}

/** What a holder holds, by port. */
function heldBy({ held }: PortSpaceState, holder: string): Held[] {
  return [...held.values()].filter((row) => row.holder === holder).sort((a, b) => a.port - b.port);
}

function without(state: PortSpaceState, rows: readonly Held[]): PortSpaceState {
  if (rows.length === 0) return state;
  const held = new Map(state.held);
  for (const { port } of rows) held.delete(port);
  return { ...state, held };
}

function remember(state: PortSpaceState, key: string | null, { id, port }: Place): PortSpaceState {
  if (key === null) return state;
  return { ...state, firstAnswers: new Map([...state.firstAnswers, [key, { id, port }]]) };
}

const only = (state: PortSpaceState, isRight: boolean): PortSpaceState[] => (isRight ? [state] : []);
const isSame = (a: Place, b: Place) => a.id === b.id && a.port === b.port;
const areSame = (some: readonly Place[], others: readonly Place[]) =>
  some.length === others.length && some.every((one) => others.some((other) => isSame(one, other)));
