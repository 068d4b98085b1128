import { answerOf, api, type Held, InputError, listAll, MAX_PAGE } from '../../registry/api.js';

/** What is looked for in the past: what was held at a moment, or with `at: null`, what was released since. */
export interface Wanted {
  at: string | null;
  project: string;
  host: string;
}

export interface Past {
  wanted: Wanted;
  found: readonly Held[];
  /** Whether there is more of it than was read. */
  isCut: boolean;
}

/**
 * Reads it once. Of what was released only the first page: there can be more of it than of anything else in the
 * registry.
 * @throws InputError for a moment that is none, or that has not come yet
 */
export async function readPast({ at, project, host }: Wanted): Promise<Past> {
  const wanted = { at, project, host };
  const where = { ...(project !== '' && { project }), ...(host !== '' && { host }), limit: MAX_PAGE };
  if (at === null) {
    const query = { ...where, status: 'released' } as const;
    const { items, nextCursor } = await answerOf(api.GET('/v1/allocations', { params: { query } }));
    return { wanted, found: items, isCut: nextCursor !== null };
  }
  const query = { ...where, at: readMoment(at) };
  const found = await listAll((page) =>
    answerOf(api.GET('/v1/allocations', { params: { query: { ...query, ...page } } })),
  );
  return { wanted, found, isCut: false };
}

function readMoment(text: string): string {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new InputError('That is no moment. Choose a day and a time.');
  if (time > Date.now()) throw new InputError('That moment has not come yet. Choose an earlier one.');
  return new Date(time).toISOString();
}
