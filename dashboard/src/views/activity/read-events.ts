import { answerOf, api, type FeedEvent, Refusal } from '../../registry/api.js';

/** How many events are shown at a time. */
const PAGE = 100;
/** Whoever looks for what one did goes through the events of all, because the service does not know that question. */
const READ_AT_ONCE = 500;
/** How many requests one reading makes at most, so that nobody waits long for what has not happened for years. */
const MOST_REQUESTS = 24;
/** No event is later. Asked for what is, the service says how far its feed goes. */
const END_OF_TIME = '9999-12-31T00:00:00.000Z';

export interface EventFilter {
  /** '' for all. */
  project: string;
  /** Empty for all. */
  types: readonly string[];
  /** What the service cannot filter by; null for all. */
  isWanted: ((event: FeedEvent) => boolean) | null;
}

export interface EventsRead {
  /** Newest first. */
  events: FeedEvent[];
  /** Everything that was read, also what is not wanted, newest first. */
  all: FeedEvent[];
  /** The place of the newest event when this was read. What comes later is in `latestEvents`. */
  top: number;
  /** Where older ones begin; null if no older ones are kept. */
  olderThan: number | null;
}

/** The place of an event in the feed. Places have no gap, whoever may see what is there. */
export const placeOf = ({ id }: FeedEvent): number => Number(id);

/**
 * Reads the events before a place, newest first, although the service lists the oldest first: it asks for what is
 * behind a place somewhat further down. How far down depends on how many events it has found so far. Example: of
 * 100,000 events few are of one project. Behind 99,900 is none of them, and so it asks next for what is behind 99,500,
 * then behind 97,900, and so on. If there are more behind a place than an answer has, it asks again from a higher one.
 * @param before null for the newest
 */
export async function readEventsBefore(before: number | null, filter: EventFilter): Promise<EventsRead> {
  const query = {
    ...(filter.project !== '' && { project: filter.project }),
    ...(filter.types.length > 0 && { type: filter.types.join(',') }),
  };
  const limit = filter.isWanted === null ? PAGE : READ_AT_ONCE;
  const [oldest, top] = await Promise.all([findOldest(query), findTop()]);
  const all: FeedEvent[] = [];
  let shown: FeedEvent[] = [];
  let last = Math.min(top, (before ?? Number.POSITIVE_INFINITY) - 1);
  let width = limit;
  for (let requests = 0; requests < MOST_REQUESTS && last >= oldest && shown.length < PAGE; requests++) {
    const first = Math.max(oldest, last - width + 1);
    const found = await listBetween(first, last, { ...query, limit });
    if (found === null) {
      width = Math.ceil(width / 4);
      continue;
    }
    all.push(...found.toReversed());
    shown = filter.isWanted === null ? all : all.filter(filter.isWanted);
    last = first - 1;
    if (found.length < limit / 4) width *= 4;
  }
  const events = shown.slice(0, PAGE);
  const rest = shown.length > PAGE ? placeOf(events[PAGE - 1] as FeedEvent) : last + 1;
  return { events, all, top, olderThan: rest > oldest ? rest : null };
}

/** The first event that has happened at this time or later, as a place; null if there is none. */
export async function findPlaceAt(time: string): Promise<number | null> {
  const { items } = await listEvents({ since: time, limit: 1 });
  return items[0] === undefined ? null : placeOf(items[0]);
}

/** What the service can filter by, and its page. */
type Query = { project?: string; type?: string; since?: string; cursor?: string; limit: number };

const listEvents = (query: Query) => answerOf(api.GET('/v1/events', { params: { query } }));

/** @returns the events between two places, oldest first; null if there are more than one answer has */
async function listBetween(first: number, last: number, query: Query): Promise<FeedEvent[] | null> {
  const { items, nextCursor } = await listEvents({ ...query, cursor: String(first - 1) }).catch(noneIfDeleted);
  const isWhole = nextCursor === null || Number(nextCursor) >= last;
  return isWhole ? items.filter((event) => placeOf(event) <= last) : null;
}

/** Events that are too old are deleted, also while somebody reads them. */
function noneIfDeleted(error: unknown): { items: FeedEvent[]; nextCursor: null } {
  if (error instanceof Refusal && error.problem?.code === 'events-expired') return { items: [], nextCursor: null };
  throw error;
}

/** The place of the oldest event that is kept and asked for; infinite if there is none. */
async function findOldest(query: Omit<Query, 'limit'>): Promise<number> {
  const { items } = await listEvents({ ...query, limit: 1 });
  return items[0] === undefined ? Number.POSITIVE_INFINITY : placeOf(items[0]);
}

async function findTop(): Promise<number> {
  const { lastEventId } = await listEvents({ since: END_OF_TIME, limit: 1 });
  return Number(lastEventId);
}
