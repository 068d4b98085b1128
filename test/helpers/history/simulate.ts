import type { Answer, Operation, Place, PortSpace, Question, Row } from './operations.js';

export type Fault =
  | 'forgets'
  | 'hands out twice'
  | 'skips a gap'
  | 'reads late'
  | 'frees the next holder'
  | 'gives out what is excluded'
  | 'takes another port than the preferred one';

interface Simulation {
  seed: number;
  callers: number;
  operations: number;
  ports: readonly number[];
  /** What the service sometimes does wrong in the second half. */
  fault?: Fault;
}

const SPACE: PortSpace = { project: 'simulated', host: 'localhost', protocol: 'tcp' };
const HOLDERS = ['a', 'b', 'c', 'd', 'e'];
const UNKNOWN_ONE_IN = 30;
const FAULTY_ONE_IN = 3;
/** How many changes old the state is that a late read sees. More than can be in progress at a time. */
const LATE_BY = 8;

/**
 * Simulates concurrent callers of a service, and returns their history. Apart from the fault, the service keeps its
 * promises: each call takes effect at one moment between its start and its end. Some calls get no answer, and take
 * effect later or never.
 */
export function simulate({ seed, callers, operations, ports, fault }: Simulation): Operation[] {
  const random = randomOf(seed);
  const chance = (oneIn: number) => random() * oneIn < 1;
  const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)] as T;
  const service = new SimulatedService(ports);
  const history: Operation[] = [];
  /** Ids that callers know from answers. */
  const knownIds: string[] = [];
  const agenda: { time: number; act(): void }[] = [];
  const at = (time: number, act: () => void) => agenda.push({ time, act });
  let left = operations;

  const ask = (): Question => {
    const op = pick([
      'get-or-allocate',
      'get-or-allocate',
      'allocate',
      'allocate',
      'look-up',
      'release',
      'release-holder',
      chance(2) ? 'exclude' : 'include',
    ] as const);
    if (op === 'release' && knownIds.length > 0) return { op, id: pick(knownIds.slice(-8)) };
    if (op === 'exclude' || op === 'include') return { op, port: pick(ports.slice(0, 3)) };
    const holder = pick(HOLDERS);
    if (op === 'allocate') {
      // The same key means the same request.
      const preferred = ports[(left % 20) % ports.length];
      return { op, holder, idempotencyKey: chance(2) ? `${holder}${left % 20}` : null, prefer: preferred };
    }
    return { op: op === 'release' ? 'look-up' : op, holder };
  };
  const call = (caller: string, start: number) => {
    if (left-- <= 0) return;
    const asked = ask();
    const moment = start + random();
    const isUnknown = chance(UNKNOWN_ONE_IN);
    const end = isUnknown ? start + random() : moment + random();
    let answer: Answer = { kind: 'unknown', why: 'simulated' };
    if (!isUnknown || chance(2)) {
      at(isUnknown ? moment + 3 * random() : moment, () => {
        const isFaulty = fault !== undefined && left < operations / 2 && chance(FAULTY_ONE_IN);
        const given = service.answer(asked, isFaulty ? fault : null);
        if (!isUnknown) answer = given;
      });
    }
    at(end, () => {
      if ('id' in answer) knownIds.push(answer.id);
      history.push({ caller, space: SPACE, asked, start, end, answer });
      call(caller, end + random() / 4);
    });
  };
  for (let i = 0; i < callers; i++) call(`caller ${i}`, random());
  let now = 0;
  while (agenda.length > 0) {
    agenda.sort((a, b) => b.time - a.time);
    const { time, act } = agenda.pop() as { time: number; act(): void };
    now = time;
    act();
  }
  const rows: Answer = { kind: 'rows', rows: service.rows.map((row) => ({ ...row })) };
  history.push({ caller: 'last', space: SPACE, asked: { op: 'list' }, start: now + 1, end: now + 2, answer: rows });
  return history;
}

/** A service that keeps the promises, one call at a time, and can break each of them. */
class SimulatedService {
  rows: Row[] = [];
  readonly #ports: readonly number[];
  readonly #excluded = new Set<number>();
  readonly #firstAnswers = new Map<string, Place>();
  /** The rows before each of the last few changes. */
  readonly #past: Row[][] = [[]];

  constructor(ports: readonly number[]) {
    this.#ports = ports;
  }

  answer(asked: Question, fault: Fault | null): Answer {
    if (!['look-up', 'exclude', 'include'].includes(asked.op)) this.#past.push(this.rows.map((row) => ({ ...row })));
    if (this.#past.length > LATE_BY) this.#past.shift();
    if (fault === 'forgets') this.rows = this.rows.filter((row) => row !== this.#held()[0]);
    return this.#answer(asked, fault);
  }

  #held = (rows = this.rows) => rows.filter(({ released }) => !released).sort((a, b) => a.port - b.port);

  #answer(asked: Question, fault: Fault | null): Answer {
    switch (asked.op) {
      case 'get-or-allocate': {
        const row = this.#held().find(({ holder }) => holder === asked.holder);
        return row ? { kind: 'existing', ...placeOf(row) } : this.#take(asked.holder, fault);
      }
      case 'allocate': {
        const { holder, idempotencyKey: key } = asked;
        const first = key === null ? undefined : this.#firstAnswers.get(key);
        if (first) return { kind: 'replayed', ...first };
        const answer = this.#take(holder, fault, asked.prefer);
        if (key !== null && answer.kind === 'created') this.#firstAnswers.set(key, placeOf(answer));
        return answer;
      }
      case 'look-up': {
        const rows = this.#held(fault === 'reads late' ? this.#past[0] : this.rows);
        const row = rows.find(({ holder }) => holder === asked.holder);
        return row ? { kind: 'existing', ...placeOf(row) } : { kind: 'none' };
      }
      case 'release': {
        const row = this.rows.find(({ id }) => id === asked.id);
        if (!row) return { kind: 'wrong', what: '404 allocation-not-found' };
        const freed = fault === 'frees the next holder' ? this.#held().find(({ port }) => port === row.port) : row;
        if (freed) freed.released = true;
        return { kind: 'released', ...placeOf(row) };
      }
      case 'release-holder': {
        const rows = this.#held().filter(({ holder }) => holder === asked.holder);
        for (const row of rows) row.released = true;
        return { kind: 'released-all', places: rows.map(placeOf) };
      }
      case 'exclude': {
        const kind = this.#excluded.has(asked.port) ? 'none' : 'done';
        this.#excluded.add(asked.port);
        return { kind };
      }
      case 'include':
        return { kind: this.#excluded.delete(asked.port) ? 'done' : 'none' };
      case 'list':
        return { kind: 'rows', rows: this.rows };
    }
  }

  #take(holder: string, fault: Fault | null, prefer?: number): Answer {
    const taken = new Set(this.#held().map(({ port }) => port));
    const unexcluded = fault === 'gives out what is excluded' ? [] : this.#excluded;
    const notFree = new Set([...taken, ...unexcluded]);
    const free = this.#ports.filter((port) => !notFree.has(port));
    const isIgnored = fault === 'takes another port than the preferred one';
    let port = prefer !== undefined && free.includes(prefer) && !isIgnored ? prefer : free[0];
    if (fault === 'skips a gap') port = free[1] ?? port;
    if (fault === 'hands out twice') port = this.#held()[0]?.port ?? port;
    if (port === undefined) return { kind: 'exhausted' };
    const row = { id: `id${this.rows.length}`, port, holder, released: false };
    this.rows.push(row);
    return { kind: 'created', ...placeOf(row) };
  }
}

const placeOf = ({ id, port }: Place): Place => ({ id, port });

/** A random number generator (Mulberry32) that gives the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
