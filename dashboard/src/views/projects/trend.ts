/** One change of how many ports a project holds: one more, or one fewer. */
export interface Step {
  /** In milliseconds, as `Date.now`. */
  at: number;
  by: 1 | -1;
}

/** How many ports were held at the end of a day, or now, if it is today. */
export interface DayHeld {
  day: Date;
  held: number;
}

export const TREND_DAYS = 30;

/** When the first day begins that the trend has. */
export const beginningOfTrend = (now: Date): Date => dayBefore(now, TREND_DAYS - 1);

/**
 * The last days, the oldest first. Days begin and end at midnight here. They are counted back from what is held now:
 * what was allocated after a day was not yet held then, and what was released after it still was.
 * @param steps all since `knownFrom`, in any order
 * @param knownFrom days that ended before it are left out; null for none
 */
export function countByDay(steps: readonly Step[], heldNow: number, now: Date, knownFrom: Date | null): DayHeld[] {
  const days = Array.from({ length: TREND_DAYS }, (_, index) => {
    const ago = TREND_DAYS - 1 - index;
    const end = ago === 0 ? Number.POSITIVE_INFINITY : dayBefore(now, ago - 1).getTime();
    const since = steps.reduce((sum, { at, by }) => (at >= end ? sum + by : sum), 0);
    return { day: dayBefore(now, ago), held: heldNow - since, end };
  });
  return days
    .filter(({ end }) => knownFrom === null || end >= knownFrom.getTime())
    .map(({ day, held }) => ({ day, held }));
}

const dayBefore = (now: Date, days: number) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - days);
