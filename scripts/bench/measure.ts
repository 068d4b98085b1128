import type { Subjects } from './subjects.js';

export interface Row {
  work: string;
  /** The least or most that the ratio should be. */
  target: { least?: number; most?: number };
  /** One per round. Null if the program to compare with is not installed, which `note` then names. */
  ratios: number[] | null;
  note: string;
}

export interface Effort {
  rounds: number;
  seconds: number;
  /** How long the row `churn` runs. */
  churnSeconds: number;
}

export type Measure = (subjects: Subjects, effort: Effort) => Promise<Row[]>;

/** Measures a subject and what it is compared with in turn, so that other work on the machine affects both alike. */
export async function alternate(
  rounds: number,
  subject: () => Promise<number>,
  partner: () => Promise<number>,
): Promise<{ ratios: number[]; note: string }> {
  const pairs: [number, number][] = [];
  for (let round = 0; round < rounds; round++) {
    // Which of the two goes first alternates too.
    if (round % 2 === 0) pairs.push([await subject(), await partner()]);
    else {
      const second = await partner();
      pairs.push([await subject(), second]);
    }
  }
  const shown = (values: number[]) => median(values).toFixed(values[0] !== undefined && values[0] < 100 ? 2 : 0);
  return {
    ratios: pairs.map(([a, b]) => a / b),
    note: `${shown(pairs.map(([a]) => a))} against ${shown(pairs.map(([, b]) => b))}`,
  };
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}
