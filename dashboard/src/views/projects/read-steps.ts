import { answerOf, api, type FeedEvent, MAX_PAGE, Refusal } from '../../registry/api.js';
import { placeOf } from '../activity/read-events.js';
import { beginningOfTrend, type Step } from './trend.js';

/** More than these are not read: the answers would be several megabytes. */
const MOST_PAGES = 5;
const TYPES = ['allocation.created', 'allocation.released'];

/** What has changed how many ports a project holds, in the days of the trend. */
export interface StepsRead {
  steps: Step[];
  /** The place in the feed up to which they were read. */
  top: number;
  /** From when on events are kept, where some of the trend's days are earlier; null where all are known. */
  knownFrom: Date | null;
}

/**
 * Reads what a project got and released in the days of the trend, on all hosts. It is read from the events and not from
 * the released allocations, which the service may keep for a few days only (HISTORY_RETENTION_DAYS): the earlier days
 * would seem to have held fewer ports than they did.
 * @returns null if there is more than `MOST_PAGES` pages have
 */
export async function readSteps(project: string): Promise<StepsRead | null> {
  const since = beginningOfTrend(new Date());
  const keptSince = await findKeptSince();
  const query = { project, type: TYPES.join(','), since: since.toISOString(), limit: MAX_PAGE };
  const steps: Step[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < MOST_PAGES; page++) {
    const answer: { items: FeedEvent[]; nextCursor: string | null; lastEventId: string } = await answerOf(
      api.GET('/v1/events', { params: { query: { ...query, ...(cursor !== null && { cursor }) } } }),
    );
    steps.push(...answer.items.map(stepOf));
    cursor = answer.nextCursor;
    if (cursor === null) {
      const knownFrom = keptSince !== null && keptSince > since ? keptSince : null;
      return { steps, top: Number(answer.lastEventId), knownFrom };
    }
  }
  return null;
}

const stepOf = ({ type, time }: FeedEvent): Step => ({
  at: Date.parse(time),
  by: type === 'allocation.created' ? 1 : -1,
});

/** Of events that have come since they were read, what changed how many ports a project holds. */
export function stepsAfter(top: number, events: readonly FeedEvent[], project: string): Step[] {
  return events
    .filter((event) => event.project === project && TYPES.includes(event.type) && placeOf(event) > top)
    .map(stepOf);
}

/** From when on all events are kept; null if none was ever deleted. */
async function findKeptSince(): Promise<Date | null> {
  const list = (query: { cursor?: string }) =>
    answerOf(api.GET('/v1/events', { params: { query: { limit: 1, ...query } } }));
  try {
    await list({ cursor: '0' });
    return null;
  } catch (error) {
    if (!(error instanceof Refusal) || error.problem?.code !== 'events-expired') throw error;
    const [oldest] = (await list({})).items;
    return oldest === undefined ? new Date() : new Date(oldest.time);
  }
}
