import type { Access } from '../../access/access.js';
import type { Session } from '../../registry/session.js';
import { type EventFilter, isForAdmins, listEvents } from '../../repositories/events/event-list.js';
import type { FeedEvent } from '../../repositories/events/events.js';
import * as refusals from '../../repositories/events/refusals.js';
import type { Event } from '../../schemas/events/event.js';
import { type EventType, eventTypes } from '../../schemas/events/event-types.js';
import type { EventFeed } from './feed.js';

/** How many events a reader is given at a time. */
const PAGE = 100;

/** A place in the feed, as a client named it. */
export interface NamedPosition {
  position: number;
  /** Where the client named it. */
  pointer: string;
}

/** @throws AppError validation-failed */
export function parsePosition(id: string, pointer: string): NamedPosition {
  if (!/^\d{1,15}$/.test(id)) throw refusals.eventIdUnknown(pointer);
  return { position: Number(id), pointer };
}

/** @throws AppError validation-failed naming the types that there are */
export function parseTypes(list: string | undefined): EventType[] | undefined {
  if (list === undefined) return undefined;
  const types = [...new Set(list.split(','))];
  const isType = (type: string): type is EventType => eventTypes.some((known) => known === type);
  const unknown = types.filter((type) => !isType(type));
  if (unknown.length > 0) throw refusals.eventTypesUnknown(unknown, eventTypes);
  return types.filter(isType);
}

/**
 * Refuses a place behind which events are missing, or that is not in this feed. Call it after the events were read:
 * retention may delete some at any moment.
 * @throws AppError events-expired, validation-failed
 */
export async function requireKept(feed: EventFeed, { position, pointer }: NamedPosition): Promise<void> {
  const { last, deleted } = await feed.bounds();
  if (position > last) throw refusals.eventNotYet(pointer, position, last);
  if (position < deleted) throw refusals.eventsExpired(position, deleted);
}

/** What one reader is given at a time. */
export interface Reading {
  /** Those that the reader may see and wants. */
  events: FeedEvent[];
  /** Everything up to here has been read. */
  position: number;
  /** The key of the reader was revoked, right behind `events`. */
  isRevoked: boolean;
}

/**
 * Reads the feed for one reader until `signal` is aborted. Who keeps up with the feed reads what the process has in memory.
 * Who does not, reads a page of the database, of what is seen and wanted alone.
 * @param session of the reader
 * @throws AppError events-expired if retention is faster than the reader
 */
export async function* readFeed(
  feed: EventFeed,
  session: Session,
  filter: EventFilter,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<Reading> {
  const { access } = session;
  const ownKey = access.caller.kind === 'key' ? `api-keys/${access.caller.id}` : null;
  for (let position = after; !signal.aborted; ) {
    await feed.waitBeyond(position, signal);
    if (signal.aborted) return;
    if (!feed.isRecent(position)) {
      const upTo = feed.last;
      const asked = { ...filter, after: position, upTo, limit: PAGE };
      const { events, hasNext } = await session.readLarge(listEvents, asked, feed.source);
      await requireKept(feed, { position, pointer: '' });
      position = hasNext ? (events.at(-1)?.position ?? upTo) : upTo;
      yield { events, position, isRevoked: false };
      continue;
    }
    const read = await feed.readAfter(position, PAGE);
    // Positions have no gap. If there is one, retention has deleted what was in it.
    if (read[0]?.position !== position + 1) await requireKept(feed, { position, pointer: '' });
    const revocation = read.findIndex(({ event }) => event.type === 'api-key.revoked' && event.subject === ownKey);
    const events = (revocation < 0 ? read : read.slice(0, revocation)).filter(
      ({ event }) => seesEvent(access, event) && isWanted(filter, event),
    );
    position = read.at(-1)?.position ?? position;
    yield { events, position, isRevoked: revocation >= 0 };
  }
}

/** Whether a caller may see an event. `listEvents` says the same in SQL. */
function seesEvent({ isAdmin, projects }: Access, { type, project }: Event): boolean {
  if (isForAdmins(type) && !isAdmin) return false;
  return projects === null || (project !== null && projects.includes(project));
}

/** Whether an event is one that a reader wants. `listEvents` says the same in SQL. */
function isWanted({ project, types, since }: EventFilter, event: Event): boolean {
  if (project !== undefined && event.project !== project) return false;
  if (types !== undefined && !types.includes(event.type)) return false;
  return since === undefined || Date.parse(event.time) >= Date.parse(since);
}
