import type { Subjects } from './subjects.js';

export interface Row {
  work: string;
  /** Such as `≥ 2`, of the ratio. */
  target: { least?: number; most?: number };
  /** One per round; null where a partner is missing, which `note` then names. */
  ratios: number[] | null;
  note: string;
}

export interface Effort {
  rounds: number;
  seconds: number;
  /** Of the run of row 3. */
  churnSeconds: number;
}

export type Measure = (subjects: Subjects, effort: Effort) => Promise<Row[]>;

/** Requests of one process in turn with those of its partner, so that a noisy moment hits both. */
export async function alternate(
  rounds: number,
  subject: () => Promise<number>,
  partner: () => Promise<number>,
): Promise<{ ratios: number[]; note: string }> {
  const pairs: [number, number][] = [];
  for (let round = 0; round < rounds; round++) {
    // Whoever goes first alternates too.
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
