import { formatAge, formatMoment } from '../format.js';

/** How long ago something was, with the moment as its tip. */
export function Age({ at, isShort = false }: { at: string; isShort?: boolean }) {
  return (
    <time dateTime={at} title={formatMoment(at)}>
      {formatAge(at, isShort ? 'short' : 'long')}
    </time>
  );
}
