import { styleText } from 'node:util';
import { ClientFailure } from '../client/failure.js';

/** Where a command writes: answers to stdout, everything else to stderr. */
export interface Output {
  /** The answer of the command: the text for people, or with `--json` the value. */
  answer(text: string, value: unknown): void;
  /** Anything that is no answer: progress, hints, warnings. Left out with `--json`, except warnings. */
  note(text: string): void;
  warn(text: string): void;
  /** Colours a part of a text for people, if stdout is a terminal that has colours. */
  style(format: Parameters<typeof styleText>[0], text: string): string;
  readonly isJson: boolean;
}

export function openOutput(isJson: boolean): Output {
  const hasColors = !isJson && process.stdout.isTTY === true && process.stdout.hasColors();
  return {
    isJson,
    answer(text, value) {
      const shown = isJson ? JSON.stringify(value, null, 2) : text;
      if (shown !== '') process.stdout.write(`${shown}\n`);
    },
    note(text) {
      if (!isJson) process.stderr.write(`${text}\n`);
    },
    warn(text) {
      process.stderr.write(`${text}\n`);
    },
    style: (format, text) => (hasColors ? styleText(format, text) : text),
  };
}

/**
 * Tells the user why a command was not done: what is wrong on one line, and what to do on the next. With `--json` the
 * problem document goes to stdout besides, for a program that wants its code.
 * @returns the exit code
 */
export function tellFailure(error: unknown, isJson: boolean): number {
  if (!(error instanceof ClientFailure)) throw error;
  const { message, nextStep, problem } = error;
  if (isJson) process.stdout.write(`${JSON.stringify(problem ?? { detail: message, nextStep }, null, 2)}\n`);
  process.stderr.write(`${message}\n${nextStep === '' ? '' : `${nextStep}\n`}`);
  return error.exitCode;
}
