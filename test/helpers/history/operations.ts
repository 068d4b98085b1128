/** One project on one host and protocol. Its ports are handed out independently of all others. */
export interface PortSpace {
  project: string;
  host: string;
  protocol: 'tcp' | 'udp';
}

/** A request. `holder` is the service and environment, as `service@environment`. */
export type Question =
  | { op: 'get-or-allocate'; holder: string }
  | { op: 'allocate'; holder: string; idempotencyKey: string | null; prefer?: number | undefined }
  | { op: 'look-up'; holder: string }
  | { op: 'release'; id: string }
  | { op: 'release-holder'; holder: string }
  /** A port of the project that nobody gets unasked from then on, and one that everybody may get again. */
  | { op: 'exclude' | 'include'; port: number }
  /** Every allocation that was ever made in the space, read after all callers have stopped. */
  | { op: 'list' };

export interface Place {
  id: string;
  port: number;
}
export type Row = Place & { holder: string; released: boolean };

export type Answer =
  | ({ kind: 'created' | 'existing' | 'replayed' | 'released' } & Place)
  | { kind: 'released-all'; places: Place[] }
  /** There is nothing; or of an exclusion: it was there already, or none was there to be ended. */
  | { kind: 'none' }
  | { kind: 'done' }
  | { kind: 'exhausted' }
  | { kind: 'rows'; rows: Row[] }
  /** A refusal that says that nothing was changed. */
  | { kind: 'refused'; code: string }
  /** No answer, or one that says that the change may or may not have been made. */
  | { kind: 'unknown'; why: string }
  /** An answer that would be wrong in any state. */
  | { kind: 'wrong'; what: string };

/** One call, as its caller saw it. All times are from the same clock. The unit does not matter. */
export interface Operation {
  caller: string;
  space: PortSpace;
  asked: Question;
  start: number;
  end: number;
  answer: Answer;
}

export const nameOf = ({ project, host, protocol }: PortSpace): string => `${project} on ${host}/${protocol}`;

/** Describes an operation in the text of a violation. */
export function describe({ caller, asked, start, end, answer }: Operation): string {
  const { op, ...of } = asked;
  const { kind, ...what } = answer;
  const saw = kind === 'rows' ? `${(what as { rows: Row[] }).rows.length} rows` : text(what);
  return `[${start.toFixed(1)}–${end.toFixed(1)}] ${caller}: ${op} ${text(of)} → ${kind} ${saw}`;
}

const text = (fields: object) => Object.values(fields).map(String).join(' ');
