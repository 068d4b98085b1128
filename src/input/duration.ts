const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const UNIT_NAMES: [seconds: number, name: string][] = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];

/**
 * Reads a length of time such as `30d`, `15m`, `2h`, `1h30m` or `90`, which is in seconds.
 * @returns seconds, or null if the text is none of these
 */
export function parseDuration(text: string): number | null {
  if (/^\d{1,12}$/.test(text)) return Number(text);
  const parts = /^(\d{1,9}[smhdw])+$/.test(text) ? (text.match(/\d+[smhdw]/g) as string[]) : [];
  if (parts.length === 0) return null;
  return parts.reduce((sum, part) => sum + Number(part.slice(0, -1)) * (UNIT_SECONDS[part.slice(-1)] as number), 0);
}

/** In the largest unit that it has at least one of: `42 days`, `1 hour`. */
export function formatDuration(seconds: number): string {
  const [unit, name] = UNIT_NAMES.find(([size]) => seconds >= size) ?? [1, 'second'];
  const count = Math.floor(seconds / unit);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
