import { styleText } from 'node:util';
import { ClientFailure } from '../client/failure.js';
import { escapeInJson, makeVisible } from '../input/visible.js';

/** Where a command writes: answers to stdout, everything else to stderr. */
export interface Output {
  /**
   * The answer of the command: the text for people, or with `--json` the value. An empty text is not written.
   * @param options with `isVerbatim` also characters that are not seen are written as they are, for a program
   */
  answer(text: string, value: unknown, options?: { isVerbatim?: boolean }): void;
  /** One of many answers, which come one after another: with `--json` the value on one line. */
  line(text: string, value: unknown): void;
  /** Anything that is no answer: progress, hints. Left out with `--json`. */
  note(text: string): void;
  warn(text: string): void;
  /** Written only with `--verbose`. */
  detail(text: string): void;
  /** Colours a part of a text for people, if stdout is a terminal that has colours. */
  style(format: Parameters<typeof styleText>[0], text: string): string;
  readonly isJson: boolean;
  readonly isVerbose: boolean;
}

export function openOutput({ json = false, verbose = false }: { json?: boolean; verbose?: boolean }): Output {
  // `hasColors` knows NO_COLOR and FORCE_COLOR. Asked only when it is needed, because to open stdout takes a moment.
  let hasColors: boolean | undefined;
  const askForColors = () => !json && process.stdout.isTTY === true && process.stdout.hasColors();
  return {
    isJson: json,
    isVerbose: verbose,
    answer(text, value, { isVerbatim = false } = {}) {
      const shown = json ? toJson(value) : isVerbatim ? text : toVisible(text);
      if (shown !== '') write(process.stdout, `${shown}\n`);
    },
    line(text, value) {
      write(process.stdout, `${json ? toJson(value, 0) : toVisible(text)}\n`);
    },
    note(text) {
      if (!json) tell(text);
    },
    warn: tell,
    detail(text) {
      if (verbose) tell(text);
    },
    style(format, text) {
      hasColors ??= askForColors();
      return hasColors ? styleText(format, text) : text;
    },
  };
}

const PRINTABLE = /^[\x20-\x7e\n]*$/;
/** What `styleText` writes around a text. */
const COLOR = new RegExp(`(${String.fromCharCode(27)}\\[\\d+m)`);

/**
 * Writes out the characters that are not seen, in all but line breaks and colours. The texts of other users, of other
 * processes and of a repository's files could otherwise change what the terminal shows.
 */
function toVisible(text: string): string {
  if (PRINTABLE.test(text)) return text;
  const parts = text.split(COLOR); // every second one is a colour
  return parts.map((part, i) => (i % 2 === 1 ? part : part.split('\n').map(makeVisible).join('\n'))).join('');
}

function toJson(value: unknown, indent = 2): string {
  const json = JSON.stringify(value, null, indent);
  return PRINTABLE.test(json) ? json : escapeInJson(json);
}

/** Writes to stderr what is no answer. */
export const tell = (text: string): void => write(process.stderr, `${toVisible(text)}\n`);

/** Streams whose errors are listened to. Node itself may listen to those of stdout too, and still throw them. */
const watched = new WeakSet<NodeJS.WriteStream>();

/**
 * The reader of a pipe may leave, as in `pa ls | head -1`. Whatever the command does goes on, and ends as usual. So it
 * does where nothing can be written to stderr, but an answer that is lost for another reason is an error.
 */
export function write(stream: NodeJS.WriteStream, text: string): void {
  if (!watched.has(stream)) stream.on('error', stream === process.stderr ? () => {} : ignoreClosedPipe);
  watched.add(stream);
  stream.write(text);
}

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

/**
 * Tells the user why a command was not done: what is wrong on one line, and what to do on the next. With `--json` a
 * document with the same goes to stdout besides, which is the problem document if the service has refused it.
 * @param error null if everything was told already
 * @returns the exit code
 */
export function tellFailure(error: unknown, isJson: boolean): number {
  if (error === null) return 0;
  const failure = error instanceof ClientFailure ? error : toBug(error);
  const { message, nextStep, problem } = failure;
  if (message === '') return failure.exitCode;
  if (isJson) {
    const document = { code: failure.kind, ...problem, detail: message, nextStep };
    write(process.stdout, `${toJson(document)}\n`);
  }
  tell(nextStep === '' ? message : `${message}\n${nextStep}`);
  return failure.exitCode;
}

/** For what no code has expected. The stack is needed to find out. */
function toBug(error: unknown): ClientFailure {
  const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new ClientFailure('refused', `This should not have happened: ${told}`, 'Please report it.');
}
