import { type Signal, useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { ownProjectNames } from '../../access/own-projects.js';
import { EVENT_GROUPS, eventGroup } from '../../events/groups.js';
import { identifyActor, nameActor, textOf } from '../../events/parts.js';
import { latestDropped, latestEvents } from '../../feed/changes.js';
import { connection } from '../../feed/feed.js';
import { formatCount, formatMoment, plural } from '../../format.js';
import { Choice, optionsOf } from '../../parts/choice.js';
import { Link } from '../../parts/links.js';
import { useLoaded } from '../../parts/loaded.js';
import { ViewHead } from '../../parts/view-head.js';
import { addressWith, go, parameter } from '../../place.js';
import { describeFailure, type FeedEvent } from '../../registry/api.js';
import { project } from '../../registry/filters.js';
import { EventList } from './event-list.js';
import { type EventFilter, type EventsRead, findPlaceAt, placeOf, readEventsBefore } from './read-events.js';

/** Which group of types, and who has done it, as `identifyActor` says. */
const group = parameter('type');
const who = parameter('who');
/** The place before which events are shown, so that older ones have an address of their own. */
const before = parameter('before');

const isFiltered = () => project.value !== '' || group.value !== '' || who.value !== '';

/** Who did what, newest first, from the change feed. */
export function Activity() {
  const start = /^\d{1,15}$/.test(before.value) ? Number(before.value) : null;
  const filter: EventFilter = {
    project: project.value,
    types: eventGroup(group.value)?.types ?? [],
    isWanted: who.value === '' ? null : isByWho,
  };
  const { data, error } = useLoaded(
    () => readEventsBefore(start, filter),
    [project.value, group.value, who.value, before.value, start === null && latestDropped.value],
  );
  const latest = start === null && data !== null ? latestEvents.value.filter((event) => placeOf(event) > data.top) : [];
  const events = data === null ? [] : [...latest.filter((event) => isShown(event, filter)), ...data.events];
  return (
    <>
      <ViewHead title="Activity" scope={<Scope read={data} events={events} isNewest={start === null} />} />
      <Filters seen={[...latest, ...(data?.all ?? [])]} />
      <div role="alert">{error !== null && <p class="refusal">{error}</p>}</div>
      {data === null && error === null && <p class="quiet">Reading…</p>}
      <EventList events={events} />
      {data !== null && <End read={data} count={events.length} isNewest={start === null} />}
    </>
  );
}

const isByWho = ({ data }: FeedEvent) => identifyActor(data.actor) === who.value;

function isShown(event: FeedEvent, filter: EventFilter): boolean {
  if (filter.project !== '' && event.project !== filter.project) return false;
  if (filter.types.length > 0 && !filter.types.includes(event.type)) return false;
  return filter.isWanted === null || filter.isWanted(event);
}

/** How many events are shown, and of which time. */
function Scope({ read, events, isNewest }: { read: EventsRead | null; events: FeedEvent[]; isNewest: boolean }) {
  const oldest = events.at(-1);
  const newest = events[0];
  if (read === null || oldest === undefined || newest === undefined) return <>What has happened, and who did it.</>;
  const since = formatMoment(oldest.time);
  if (!isNewest) return <>{`${plural(events.length, 'event')}, from ${formatMoment(newest.time)} back to ${since}.`}</>;
  const how = connection.value.state === 'live' ? ' New ones appear at the top.' : '';
  return <>{`The newest ${plural(events.length, 'event')}, back to ${since}.${how}`}</>;
}

function Filters({ seen }: { seen: FeedEvent[] }) {
  const names = new Map(seen.map(({ data: { actor } }) => [identifyActor(actor), textOf(nameActor(actor))] as const));
  const clears = ['before'];
  return (
    <div class="filters activity-filters">
      <Choice
        label="Project"
        name="project"
        clears={clears}
        options={optionsOf('All, and none', ownProjectNames.value)}
      />
      <Choice
        label="What"
        name="type"
        clears={clears}
        options={[['', 'Everything'], ...EVENT_GROUPS.map(({ id, name }) => [id, name] as const)]}
      />
      <Choice
        label="Who"
        name="who"
        clears={clears}
        options={[['', 'Anybody'], ...[...names].sort(([, one], [, other]) => one.localeCompare(other))]}
      />
      <GoToTime />
    </div>
  );
}

/** Goes to what happened before a moment. */
function GoToTime() {
  const id = useId();
  const refusal: Signal<string | null> = useSignal(null);
  const goTo = async (time: string) => {
    refusal.value = null;
    try {
      const place = time === '' ? null : await findPlaceAt(new Date(time).toISOString());
      go({ before: place === null ? null : String(place) });
    } catch (error) {
      refusal.value = describeFailure(error);
    }
  };
  return (
    <details class="go-to-time">
      <summary>Go to a time</summary>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void goTo(String(new FormData(event.currentTarget).get('time') ?? ''));
        }}
      >
        <label for={id}>
          Before
          <input id={id} name="time" type="datetime-local" />
        </label>
        <button type="submit" class="button">
          Go there
        </button>
        <div role="alert">{refusal.value !== null && <p class="refusal">{refusal.value}</p>}</div>
      </form>
    </details>
  );
}

/** What comes after the events that are shown: why there are none, or how to see older ones. */
function End({ read, count, isNewest }: { read: EventsRead; count: number; isNewest: boolean }) {
  const { olderThan, all, events } = read;
  return (
    <div class="events-end">
      {count === 0 && (
        <p>{isFiltered() ? 'No event was found that fits these filters.' : 'There are no older events.'}</p>
      )}
      {olderThan !== null && events.length < all.length && who.value !== '' && (
        <p class="quiet">
          {`${formatCount(all.length)} events of all were looked through, back to ${formatMoment(all.at(-1)?.time ?? '')}.`}
        </p>
      )}
      {olderThan === null && count > 0 && <p class="quiet">These are all that are kept.</p>}
      <p class="links">
        {olderThan !== null && <Link to={addressWith({ before: String(olderThan) })}>Older events</Link>}
        {!isNewest && <Link to={addressWith({ before: null })}>Newest events</Link>}
        {isFiltered() && (
          <button type="button" class="link" onClick={() => go({ project: null, type: null, who: null, before: null })}>
            Show the events of all
          </button>
        )}
      </p>
    </div>
  );
}
